"""Rows of tables as frozen data classes and back, and statements about many values; documents as data classes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date as Date
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Select, SQLColumnExpression, Table, delete, select

from doc_assets.archive.ledger.schema import Base, DocumentRow
from doc_assets.datatypes import DateSource, DocumentDate

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Key = TypeVar("Key", int, str)
Record = TypeVar("Record", bound="DataclassInstance")
Columns = TypeVar("Columns", bound=tuple[Any, ...])
Column = SQLColumnExpression[Any]

READABLE = ("ok", "partial")
_VALUES_PER_STATEMENT = 500


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


def columns_of(record: "type[DataclassInstance]", table: type[Base]) -> tuple[ColumnElement[Any], ...]:
    """The columns of a table that a data class names, in the order of its fields: rows of them make the data class."""
    return tuple(getattr(table, each.name) for each in fields(record))


def row_of(record: "DataclassInstance", **more: object) -> dict[str, Any]:
    """A row of the table that has the fields of a data class as columns, and ``more`` of them."""
    return {each.name: getattr(record, each.name) for each in fields(record)} | more


def record_of(kind: type[Record], row: RowMapping, **more: object) -> Record:
    """A data class of this kind: the columns that its fields name, and ``more`` fields that follow from others."""
    return kind(**{each.name: row[each.name] for each in fields(kind) if each.name not in more}, **more)


DOCUMENTS = select(*columns_of(Document, DocumentRow))


def documents_of(rows: Iterable[Row[Any]]) -> list[Document]:
    """Documents from rows of ``DOCUMENTS``."""
    return [Document(*row) for row in rows]


def in_parts(values: Collection[Key]) -> Iterator[Sequence[Key]]:
    """``values``, sorted, in parts that fit into the parameters of one statement."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _VALUES_PER_STATEMENT):
        yield ordered[start : start + _VALUES_PER_STATEMENT]


def rows_in(
    connection: Connection, query: Select[Columns], column: Column, values: Collection[Key]
) -> Iterator[Row[Columns]]:
    """Rows of a query whose ``column`` has one of ``values``, in the order of the query within each part of these."""
    for part in in_parts(values):
        yield from connection.execute(query.where(column.in_(part)))


def delete_in(
    connection: Connection,
    table: type[Base] | Table,
    column: Column,
    values: Collection[Key],
    *where: ColumnElement[bool],
) -> None:
    """Removes rows whose ``column`` has one of ``values``, and for which ``where`` holds."""
    for part in in_parts(values):
        connection.execute(delete(table).where(column.in_(part), *where))
