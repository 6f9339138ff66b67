"""The commands, a few to a file; `registry.py` lists them all."""
