"""Harmless file names for documents that others named."""

from doc_assets.sources.names import document_id
from doc_assets.util.files import sha256_of

_COMMON_ENDING = ".tif"
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_MAX_SIGNS = 80
_MAX_HARMLESS = 200
"""A file system takes names of 255 bytes; page, photo and the mark of an unfinished file are still added."""


def safe_stem(name: str) -> str:
    """A file name made from a document's: short harmless ones as they are, others with a digest in their place."""
    if 0 < len(name) <= _MAX_HARMLESS and set(name) <= _SAFE:
        return name
    kept = "".join(sign if sign in _SAFE else "_" for sign in name)[:_MAX_SIGNS]
    return f"{kept}_{sha256_of(name.encode('utf-8', 'surrogatepass'))[:8]}"


def result_stem(file_name: str) -> str:
    """A file name for what is made of a document: two files of one folder differ in it even by their ending alone."""
    return safe_stem(document_id(file_name) if file_name.endswith(_COMMON_ENDING) else file_name)
