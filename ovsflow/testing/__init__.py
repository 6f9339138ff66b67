"""Testing controllers against a switch in memory, and whole networks in namespaces."""
