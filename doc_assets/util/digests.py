"""SHA-256 digests: the identity of a content, and of everything a result was made with."""

import hashlib
from pathlib import Path


def sha256_of(content: bytes) -> str:
    """Hex digest of some bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_files(*paths: Path) -> str:
    """Hex digest of the files' bytes one behind the other, without holding them in memory."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as source:
            hashlib.file_digest(source, lambda: digest)
    return digest.hexdigest()
