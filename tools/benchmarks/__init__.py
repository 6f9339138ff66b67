"""Benchmarks: ovsflow and its peers in one run, interleaved, told as ratios."""
