"""Telling another system what failed: which run, which step, which kind of error, and nothing of what was read."""
