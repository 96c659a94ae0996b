"""A drop's way into the archive, in order: sealed, read, cut, embedded, described, indexed, screened; and again.

A stage works in chunks of documents. A chunk is done when its table carries the expected provenance, so nothing
needs to be remembered about a killed run.
"""
