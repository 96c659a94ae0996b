"""Removing every row about a document, and what is left of it: keyed digests by which a second drop of it is known.

Without the key, which lies in the home and not in the database, nobody can try out names or digests on them.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from sqlalchemy import and_, delete, func, insert, or_, select
from upath import UPath

from doc_assets.archive.ledger.database import Database, LedgerPart
from doc_assets.archive.ledger.rows import delete_in, rows_in
from doc_assets.archive.ledger.schema import Base, DocumentRow, InboxFile, KeyRequest, SearchResult, Tombstone
from doc_assets.errors import SettingsError
from doc_assets.util.files import write_atomic

_KEY_BYTES = 32
_MOST_OTHERS = 5000


class DocumentRemoval(LedgerPart):
    """All tables, seen from one document."""

    def shared_contents(self, digests: Collection[str], document_ids: Collection[str]) -> set[str]:
        """Those of these digests that a document which is not among ``document_ids`` has too."""
        query = select(DocumentRow.sha256, DocumentRow.document_id)
        rows = self._database.rows_in(query, DocumentRow.sha256, digests)
        return {digest for digest, name in rows if digest is not None and name not in document_ids}

    def others_containing(self, words: Sequence[str], document_ids: Collection[str]) -> set[str]:
        """Names and paths of other documents in which one of ``words`` stands."""
        columns = (DocumentRow.document_id, DocumentRow.file_name, DocumentRow.source_path)
        holds = or_(*(column.contains(word, autoescape=True) for column in columns for word in words))
        query = select(*columns).where(and_(holds, DocumentRow.document_id.not_in(sorted(document_ids))))
        asked = or_(*(SearchResult.query_document.contains(word, autoescape=True) for word in words))
        with self._database.reading() as connection:
            archived = {value for row in connection.execute(query.limit(_MOST_OTHERS)) for value in row}
            queries = connection.execute(select(SearchResult.query_document).where(asked).limit(_MOST_OTHERS))
            return archived | set(queries.scalars())

    def remove(
        self, document_ids: Collection[str], digests: Collection[str], paths: Sequence[str], keys: Sequence[str]
    ) -> None:
        """Removes the rows of documents, contents, noted paths and keys from every table, all at once.

        Args:
            document_ids: of the documents.
            digests: of contents that no other document has.
            paths: in the drop folder.
            keys: that may have named the documents, in small letters.
        """
        with self._database.writing() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                for name, values in (("document_id", document_ids), ("sha256", digests)):
                    if name in table.c:
                        delete_in(connection, table, table.c[name], values)
            delete_in(connection, KeyRequest, func.lower(KeyRequest.key), keys)
            delete_in(connection, InboxFile, InboxFile.path, paths)


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
        marks = {_mark(self.key, "document", document_id)}
        if sha256 is not None:
            marks.add(_mark(self.key, "content", sha256))
        return not marks.isdisjoint(self._marks)


class TombstoneLedger(LedgerPart):
    """The table ``tombstones``: that documents were forgotten.

    Args:
        database: of the ledger.
        key_file: of the digests; made when the first document is forgotten. None: nothing may have been forgotten.
    """

    def __init__(self, database: Database, key_file: Path | None) -> None:
        super().__init__(database)
        self._key_file = key_file

    def add(self, contents: Mapping[str, Iterable[str]], now: datetime) -> None:
        """Files documents, each with the digests of its contents, as forgotten; twice is once."""
        key = self._made_key()
        rows = []
        for document_id, digests in contents.items():
            own = _mark(key, "document", document_id)
            rows += [(mark, own, now) for mark in (own, *(_mark(key, "content", digest) for digest in digests))]
        self._insert(rows)

    def allow(self, document_id: str) -> bool:
        """Lets a forgotten document and its contents come again; returns whether it was forgotten."""
        key = self._key()
        if key is None:
            return False
        with self._database.writing() as connection:
            mine = Tombstone.document_mark == _mark(key, "document", document_id)
            return bool(connection.execute(delete(Tombstone).where(mine)).rowcount)

    def forgotten_documents(self, document_ids: Iterable[str]) -> set[str]:
        """Those of these documents that were forgotten.

        Raises:
            SettingsError: if something was forgotten and the key is gone.
        """
        key = self._key()
        if key is None:
            return set()
        marks = {_mark(key, "document", document_id): document_id for document_id in document_ids}
        return {marks[mark] for mark in self._known(marks)}

    def is_forgotten_content(self, sha256: str) -> bool:
        """Whether a document of this content was forgotten, under whatever name.

        Raises:
            SettingsError: if something was forgotten and the key is gone.
        """
        key = self._key()
        return key is not None and bool(self._known([_mark(key, "content", sha256)]))

    def taken_out(self) -> Tombstones | None:
        """All of them with their key; None if there never was one.

        Raises:
            SettingsError: if something was forgotten and the key is gone.
        """
        key = self._key()
        if key is None:
            if not self._path().exists():
                return None
            key = _read_key(self._path())
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
            return _read_key(self._path())
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
        return _read_key(path)

    def _path(self) -> Path:
        if self._key_file is None:
            raise SettingsError("Documents were forgotten; this ledger must be opened with the key file of its home.")
        return self._key_file


def _read_key(path: Path) -> bytes:
    return bytes.fromhex(path.read_text(encoding="ascii"))


def _mark(key: bytes, kind: Literal["document", "content"], value: str) -> str:
    return hmac.new(key, f"{kind}:{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
