"""Harmless file names for documents that others named."""

import hashlib

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_MAX_SIGNS = 80


def safe_stem(name: str) -> str:
    """A file name made from a document's: harmless ones as they are, others with a digest in their place."""
    if name and set(name) <= _SAFE:
        return name
    kept = "".join(sign if sign in _SAFE else "_" for sign in name)[:_MAX_SIGNS]
    return f"{kept}_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
