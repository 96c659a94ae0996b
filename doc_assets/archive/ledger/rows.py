"""Rows of ``documents`` as values, and how they are read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date as Date
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select

from doc_assets.archive.ledger.schema import Base, DocumentRow
from doc_assets.datatypes import DateSource, DocumentDate

Key = TypeVar("Key", int, str)

READABLE = ("ok", "partial")
_KEYS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Document:
    """A row of ``documents``; see ``schema.DocumentRow``."""

    id: int
    drop_key: str
    position: int
    document_id: str
    file_name: str
    source_path: str
    merchant_id: str | None
    size_bytes: int
    mtime_ns: int
    sha256: str | None
    state: str
    reason_code: str | None
    reason: str | None
    is_current: bool
    n_pages: int | None
    n_photos: int | None
    fields: dict[str, str]
    document_date: Date
    date_source: DateSource

    @property
    def date(self) -> DocumentDate:
        """The day it is from, and how that is known."""
        return DocumentDate(self.document_date, self.date_source)


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of an arrival beside its bytes: whose it is, what a key table says, and its date."""

    row_id: int
    merchant_id: str | None
    fields: dict[str, str]
    date: DocumentDate


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """What reading one document came to, as recorded."""

    row_id: int
    sha256: str | None
    state: str
    reason_code: str | None
    reason: str | None
    n_pages: int | None


@dataclass(frozen=True, slots=True)
class ArchiveCounts:
    """What is in the archive.

    Attributes:
        arrivals_by_state: every file that ever arrived, by state.
        superseded: readable arrivals that a newer version replaced.
        current: documents in the archive.
        photos: their photos.
        drops: sealed drops.
    """

    arrivals_by_state: dict[str, int]
    superseded: int
    current: int
    photos: int
    drops: int


def columns_of(record: type, table: type[Base]) -> tuple[ColumnElement[Any], ...]:
    """The columns of a table that a data class names, in the order of its fields: rows of them make the data class."""
    return tuple(getattr(table, each.name) for each in fields(record))


COLUMNS = columns_of(Document, DocumentRow)


def read_documents(connection: Connection, query: Select[Any]) -> list[Document]:
    """The rows that a query over ``COLUMNS`` finds."""
    return [Document(*row) for row in connection.execute(query)]


def in_parts(values: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """``values`` in pieces that fit into one statement's parameters."""
    for start in range(0, len(values), _KEYS_A_STATEMENT):
        yield values[start : start + _KEYS_A_STATEMENT]
