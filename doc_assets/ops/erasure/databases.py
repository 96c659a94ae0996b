"""Names in any SQL database: found, replaced, and the room they took given back."""

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    create_engine,
    delete,
    distinct,
    make_url,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeEngine

from doc_assets.errors import ServiceError
from doc_assets.ops.erasure.needles import Needles, Trace

_BUSY_TIMEOUT_MS = 60_000
_TRIES, _PAUSE_S = 20, 0.5
_TEXTUAL = (str, dict, list)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """A database of any program; what is deleted in SQLite is overwritten.

    Raises:
        ServiceError: if it does not answer, or is in use all the time.
    """
    engine = create_engine(url)
    try:
        yield engine
    except OperationalError as error:
        address = make_url(url).render_as_string(hide_password=True)
        raise ServiceError(f"The database {address} failed: {error.orig}. Try again when it answers.") from error
    finally:
        engine.dispose()


def scrub(url: str, needles: Needles) -> int:
    """Replaces every word in every text column; returns how many values changed. Rows stay."""
    changed = 0
    with opened(url) as engine, engine.begin() as connection:
        _prepare(connection)
        for table, column in _columns(connection):
            if _is_text(column.type):
                changed += _scrub_column(connection, table, column, needles)
    return changed


def _scrub_column(connection: Connection, table: Table, column: Column[Any], needles: Needles) -> int:
    as_text = cast(column, Text)
    holds = _holds_any(as_text, needles)
    changed = 0
    for value in connection.execute(select(distinct(as_text)).where(holds)).scalars().all():
        cleaned = needles.without(value)
        if cleaned != value:
            new = cast(cleaned, column.type) if connection.dialect.name == "postgresql" else cleaned
            statement = update(table).where(as_text == value).values({column.name: new})
            changed += connection.execute(statement).rowcount
    return changed


def _holds_any(text: ColumnElement[str], needles: Needles) -> ColumnElement[bool]:
    return or_(*(text.contains(word, autoescape=True) for word in needles.spellings))


def remove_rows(url: str, needles: Needles) -> int:
    """Removes every row in which a word stands in any text column; returns how many."""
    removed = 0
    with opened(url) as engine, engine.begin() as connection:
        _prepare(connection)
        for table, column in _columns(connection):
            if _is_text(column.type):
                holds = _holds_any(cast(column, Text), needles)
                values = connection.execute(select(distinct(column)).where(holds)).scalars().all()
                for value in (found for found in values if needles.is_in_text(str(found))):
                    removed += connection.execute(delete(table).where(column == value)).rowcount
    return removed


def find(url: str, needles: Needles) -> Iterator[Trace]:
    """Every column that still holds a word, also in packed values."""
    with opened(url) as engine, engine.connect() as connection:
        for table, column in _columns(connection):
            place = f"table {table.name}, column {column.name}"
            if _is_text(column.type):
                as_text = cast(column, Text)
                holds = _holds_any(as_text, needles)
                values = connection.execute(select(distinct(as_text)).where(holds)).scalars()
                if any(needles.is_in_text(value) for value in values):
                    yield Trace(place, "a name or digest")
            elif isinstance(column.type, LargeBinary):
                for value in connection.execute(select(column).where(column.is_not(None))).scalars():
                    if found := needles.is_in(_unpacked(bytes(value))):
                        yield Trace(place, found)
                        break


def compact(url: str) -> None:
    """Writes a database anew, so that nothing of replaced and deleted rows stays in its files.

    Raises:
        ServiceError: if another process uses it all the time.
    """
    with opened(url) as engine, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            for table in _tables(connection).sorted_tables:
                name = connection.dialect.identifier_preparer.format_table(table)
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {name}"))
            return
        _prepare(connection)
        for _ in range(_TRIES):
            connection.exec_driver_sql("VACUUM")
            (busy, *_rest) = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            if not busy:
                return
            time.sleep(_PAUSE_S)
    raise ServiceError(f"{make_url(url).database} is read all the time; stop what reads it and try again.")


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _tables(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata


def _columns(connection: Connection) -> Iterator[tuple[Table, Column[Any]]]:
    for table in _tables(connection).sorted_tables:
        for column in table.columns:
            yield table, column


def _is_text(kind: TypeEngine[Any]) -> bool:
    try:
        return kind.python_type in _TEXTUAL
    except NotImplementedError:
        return True  # a type that SQLAlchemy does not know; asking for its text costs nothing


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
