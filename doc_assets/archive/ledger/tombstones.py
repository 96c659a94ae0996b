"""What is left of forgotten documents: keyed digests by which a second drop of them is known.

Without the key, which lies in the home and not in the database, nobody can try out names or digests on them.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import delete, insert, select
from upath import UPath

from doc_assets.archive.ledger.database import Database
from doc_assets.archive.ledger.rows import rows_in
from doc_assets.archive.ledger.schema import Tombstone
from doc_assets.errors import SettingsError
from doc_assets.util.files import write_atomic

_KEY_BYTES = 32


@dataclass(frozen=True)
class Tombstones:
    """All tombstones of a home with the key that they were made with.

    Attributes:
        key: of the digests.
        rows: mark, mark of the document, and when it was forgotten.
    """

    key: bytes
    rows: tuple[tuple[str, str, datetime], ...]

    @cached_property
    def _marks(self) -> frozenset[str]:
        return frozenset(mark for mark, _, _ in self.rows)

    def knows(self, document_id: str, sha256: str | None) -> bool:
        """Whether a document of this name or content was forgotten."""
        if _document_mark(self.key, document_id) in self._marks:
            return True
        return sha256 is not None and _content_mark(self.key, sha256) in self._marks


class TombstoneLedger:
    """The table ``tombstones``.

    Args:
        database: of the ledger.
        key_file: of the digests; made when the first document is forgotten. None: nothing may have been forgotten.
    """

    def __init__(self, database: Database, key_file: Path | None) -> None:
        self._database, self._key_file = database, key_file

    def add(self, contents: Mapping[str, Iterable[str]], now: datetime) -> None:
        """Files documents, each with the digests of its contents, as forgotten; twice is once."""
        key = self._made_key()
        rows = []
        for document_id, digests in contents.items():
            own = _document_mark(key, document_id)
            rows += [(mark, own, now) for mark in (own, *(_content_mark(key, digest) for digest in digests))]
        self._insert(rows)

    def allow(self, document_id: str) -> bool:
        """Lets a forgotten document and its contents come again; returns whether it was forgotten."""
        key = self._key()
        if key is None:
            return False
        with self._database.writing() as connection:
            mine = Tombstone.document_mark == _document_mark(key, document_id)
            return bool(connection.execute(delete(Tombstone).where(mine)).rowcount)

    def forgotten_documents(self, document_ids: Iterable[str]) -> set[str]:
        """Those of these documents that were forgotten.

        Raises:
            SettingsError: if something was forgotten and the key is gone.
        """
        key = self._key()
        if key is None:
            return set()
        marks = {_document_mark(key, document_id): document_id for document_id in document_ids}
        return {marks[mark] for mark in self._known(marks)}

    def is_forgotten_content(self, sha256: str) -> bool:
        """Whether a document of this content was forgotten, under whatever name.

        Raises:
            SettingsError: if something was forgotten and the key is gone.
        """
        key = self._key()
        return key is not None and bool(self._known([_content_mark(key, sha256)]))

    def taken_out(self) -> Tombstones | None:
        """All of them with their key; None if there never was one.

        Raises:
            SettingsError: if something was forgotten and the key is gone.
        """
        key = self._key()
        if key is None and not self._path().exists():
            return None
        key = key or bytes.fromhex(self._path().read_text(encoding="ascii"))
        rows = self._database.rows(select(Tombstone.mark, Tombstone.document_mark, Tombstone.forgotten_at))
        return Tombstones(key, tuple((mark, own, at) for mark, own, at in rows))

    def take_in(self, others: Tombstones) -> bool:
        """Files tombstones that another state of this home had; returns False if they were made with another key.

        A ledger without any takes over their key.
        """
        if not others.rows:
            return True
        key = self._key()
        if key is None:
            write_atomic(UPath(self._path()), others.key.hex().encode("ascii"))
            self._path().chmod(0o600)
        elif key != others.key:
            return False
        self._insert(others.rows)
        return True

    def _insert(self, rows: Iterable[tuple[str, str, datetime]]) -> None:
        """Files those of these rows that are not there yet."""
        marks = {(mark, own): {"mark": mark, "document_mark": own, "forgotten_at": at} for mark, own, at in rows}
        with self._database.writing() as connection:
            query = select(Tombstone.mark, Tombstone.document_mark)
            known = {tuple(row) for row in rows_in(connection, query, Tombstone.mark, {mark for mark, _ in marks})}
            fresh = [row for both, row in marks.items() if both not in known]
            if fresh:
                connection.execute(insert(Tombstone), fresh)

    def _known(self, marks: Collection[str]) -> set[str]:
        return {mark for (mark,) in self._database.rows_in(select(Tombstone.mark), Tombstone.mark, marks)}

    def _key(self) -> bytes | None:
        """The key; None if nothing was ever forgotten."""
        if not self._database.values(select(Tombstone.mark).limit(1)):
            return None
        try:
            return bytes.fromhex(self._path().read_text(encoding="ascii"))
        except FileNotFoundError as error:
            raise SettingsError(
                f"Documents were forgotten, but the key {self._path()} by which they are known is gone. Restore it "
                "from a backup of this home; without it forgotten documents would come back unseen."
            ) from error

    def _made_key(self) -> bytes:
        known = self._key()
        if known is not None:
            return known
        path = self._path()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as target:
                target.write(secrets.token_hex(_KEY_BYTES))
        return bytes.fromhex(path.read_text(encoding="ascii"))

    def _path(self) -> Path:
        if self._key_file is None:
            raise SettingsError("Documents were forgotten; this ledger must be opened with the key file of its home.")
        return self._key_file


def _document_mark(key: bytes, document_id: str) -> str:
    return _mark(key, "document", document_id)


def _content_mark(key: bytes, sha256: str) -> str:
    return _mark(key, "content", sha256)


def _mark(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
