"""The control plane of one switch."""
