"""Deletes what is too old to be kept, and nothing that a document of the archive needs."""
