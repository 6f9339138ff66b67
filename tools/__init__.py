"""What developers run: checks, the demonstration, benchmarks."""
