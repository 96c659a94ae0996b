"""Identifiers in any SQL database: found, replaced, and the room they took given back."""

import time
import zlib
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from doc_assets.errors import ServiceError
from doc_assets.ops.backup.databases import connected
from doc_assets.ops.erasure.identifiers import A_NAME, Identifiers, Residual, What

_BUSY_TIMEOUT_MS = 60_000
_TRIES, _PAUSE_S = 20, 0.5
_TEXTUAL = (str, dict, list)


def scrub(url: str, identifiers: Identifiers, untouched: Collection[str] = ()) -> int:
    """Replaces every name in every text column but those of ``untouched`` tables; rows stay.

    Returns:
        How many values changed.
    """
    changed = 0
    with connected(url) as engine, engine.begin() as connection:
        _prepare(connection)
        columns = [(table, column) for table, column in _columns(connection) if table.name not in untouched]
        for table, column in columns:
            for value in _values_with_names(connection, column, identifiers):
                cleaned = identifiers.without(value)
                new = sa.cast(cleaned, column.type) if connection.dialect.name == "postgresql" else cleaned
                statement = sa.update(table).where(sa.cast(column, sa.Text) == value).values({column.name: new})
                changed += connection.execute(statement).rowcount
    return changed


def remove_rows(url: str, identifiers: Identifiers) -> int:
    """Removes every row in which a name stands in any text column; returns how many."""
    removed = 0
    with connected(url) as engine, engine.begin() as connection:
        _prepare(connection)
        for table, column in _columns(connection):
            for value in _values_with_names(connection, column, identifiers):
                removed += connection.execute(sa.delete(table).where(sa.cast(column, sa.Text) == value)).rowcount
    return removed


def find(url: str, identifiers: Identifiers) -> Iterator[Residual]:
    """Every column that still holds an identifier, also in packed values."""
    with connected(url) as engine, engine.connect() as connection:
        for table, column in _columns(connection):
            is_named = any(_values_with_names(connection, column, identifiers))
            if what := A_NAME if is_named else _in_packed(connection, column, identifiers):
                yield Residual(f"table {table.name}, column {column.name}", what)


def compact(url: str) -> None:
    """Writes a database anew, so that nothing of replaced and deleted rows stays in its files.

    Raises:
        ServiceError: if another process uses it all the time.
    """
    with connected(url) as engine, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            for table in _tables(connection):
                name = connection.dialect.identifier_preparer.format_table(table)
                connection.execute(sa.text(f"VACUUM (FULL, ANALYZE) {name}"))
            return
        _prepare(connection)
        for _ in range(_TRIES):
            connection.exec_driver_sql("VACUUM")
            (busy, *_rest) = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            if not busy:
                return
            time.sleep(_PAUSE_S)
    raise ServiceError(f"{sa.make_url(url).database} is read all the time; stop what reads it and try again.")


def _prepare(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _values_with_names(connection: sa.Connection, column: sa.Column[Any], identifiers: Identifiers) -> list[str]:
    """Different values of a column in which a name stands, as text; none of a column that is no text."""
    if not _is_text(column.type):
        return []
    as_text = sa.cast(column, sa.Text)
    holds = sa.or_(*(as_text.contains(name, autoescape=True) for name in identifiers.spellings))
    values = connection.execute(sa.select(sa.distinct(as_text)).where(holds)).scalars()
    return [value for value in values if identifiers.is_in_text(value)]


def _in_packed(connection: sa.Connection, column: sa.Column[Any], identifiers: Identifiers) -> What | None:
    if not isinstance(column.type, sa.LargeBinary):
        return None
    values = connection.execute(sa.select(column).where(column.is_not(None))).scalars()
    return next(filter(None, (identifiers.is_in(_unpacked(bytes(value))) for value in values)), None)


def _columns(connection: sa.Connection) -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    return ((table, column) for table in _tables(connection) for column in table.columns)


def _tables(connection: sa.Connection) -> list[sa.Table]:
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return metadata.sorted_tables


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
