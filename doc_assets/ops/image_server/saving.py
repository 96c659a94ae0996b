"""Keeping copies of documents that were asked for, in one folder."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from doc_assets.reports.safe_names import safe_stem
from doc_assets.sources.names import DOCUMENT_SUFFIXES, document_id
from doc_assets.util.digests import sha256_of
from doc_assets.util.files import write_atomic

_log = logging.getLogger(__name__)
_DIGEST_SIGNS = 16


@dataclass(frozen=True, slots=True)
class SaveFolder:
    """A folder that copies are kept in, byte by byte; nothing in it is ever replaced."""

    path: Path

    def keep(self, name: str, content: bytes) -> bool:
        """Keeps a copy under a name of our own, made from the file's name and its content.

        Returns:
            Whether the copy is there; why not stands in the log.
        """
        digest = sha256_of(content)[:_DIGEST_SIGNS]
        ending = Path(name).suffix.lower()
        kept = ending if ending in DOCUMENT_SUFFIXES else ".tif"
        target = self.path / f"{safe_stem(document_id(name))}_{digest}{kept}"
        if os.path.lexists(target):
            return target.is_file() and not target.is_symlink() and target.read_bytes() == content
        try:
            write_atomic(UPath(target), content)
        except OSError as error:
            _log.warning("A copy could not be kept in %s: %s", self.path, error)
            return False
        return True
