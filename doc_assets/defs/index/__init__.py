"""Vectors -> the collection that searches use."""
