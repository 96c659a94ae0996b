"""A drop's way into the archive: sealed, read, cut, embedded, indexed. Every step resumes where it stopped.

A step works in chunks of documents. A chunk is done when its table carries the expected stamp, so nothing
needs to be remembered about a killed run.
"""
