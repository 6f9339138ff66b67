"""The `ovsflow` command: its arguments, its conversation with running switches, its tables."""
