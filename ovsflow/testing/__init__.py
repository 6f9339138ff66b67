"""For tests: a switch in memory, a controller in the same process, labs of namespaces."""
