"""Keeping the instance in order."""
