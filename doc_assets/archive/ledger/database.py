"""Connections and transactions of the ledger, its tables brought up to date, and the check of SQLite files."""

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, Row, Select, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DatabaseError, OperationalError

from doc_assets.archive.ledger.rows import Column, Key, rows_in
from doc_assets.errors import DamagedError, LedgerSchemaError, ServiceError

Columns = TypeVar("Columns", bound=tuple[Any, ...])
Value = TypeVar("Value")

SCHEMA_REVISION = "0015"
"""The newest migration; a test holds it equal to Alembic's head."""

_BUSY_TIMEOUT_MS = 60_000
_MIGRATION_LOCK = 7_202_611_21  # any number; PostgreSQL advisory lock of this program's migrations
_MOST_FAULTS = 20
_NOT_ITS_FAULT = ("disk I/O error", "unable to open", "database is locked")
"""What a full disk or another process causes; reading needs a small file beside the database."""


def is_absent(url: str) -> bool:
    """Whether the URL names a SQLite file that is not there; opening it would make it."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and bool(parsed.database) and not Path(str(parsed.database)).exists()


class Database:
    """An engine with the two kinds of transaction the ledger uses.

    Args:
        url: SQLAlchemy URL.
        answer_within_s: how long a server may take to accept a connection; the driver's own limit by default.
    """

    def __init__(self, url: str, answer_within_s: int | None = None) -> None:
        self.url = make_url(url)
        self.engine = _engine(url, answer_within_s)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the tables.

        Raises:
            ServiceError: if the database does not answer.
        """
        with self._errors(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end of the block or not at all.

        On SQLite it takes the write lock at its start: a reader that later wants to write would fail at once.

        Raises:
            ServiceError: if the database does not answer.
        """
        with self._errors(), self.engine.connect() as connection:
            immediate = connection.execution_options(immediate=True)
            with immediate.begin():
                yield immediate

    def rows(self, query: Select[Columns]) -> Sequence[Row[Columns]]:
        """All rows of a query."""
        with self.reading() as connection:
            return connection.execute(query).all()

    def values(self, query: Select[tuple[Value]]) -> Sequence[Value]:
        """All rows of a query of one column."""
        with self.reading() as connection:
            return connection.execute(query).scalars().all()

    def rows_in(self, query: Select[Columns], column: Column, values: Collection[Key]) -> list[Row[Columns]]:
        """All rows of a query whose ``column`` has one of these values; see ``rows.rows_in``."""
        with self.reading() as connection:
            return list(rows_in(connection, query, column, values))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        shown = self.url.render_as_string(hide_password=True)
        try:
            yield
        except OperationalError as error:
            raise ServiceError(
                f"The ledger at {shown} failed: {error.orig}. Check DOC_ASSETS_LEDGER_URL and that the database "
                "answers and has room."
            ) from error
        except DatabaseError as error:
            if type(error.orig) is not sqlite3.DatabaseError:  # the file itself: malformed, or no database
                raise
            raise DamagedError(
                f"The ledger {shown} is damaged: {error.orig}. Restore a backup (`doc-assets restore`); "
                "`doc-assets check --read-data` says what is wrong."
            ) from error

    def migrate(self) -> None:
        """Brings the tables to ``SCHEMA_REVISION``; quick if they are.

        Raises:
            LedgerSchemaError: if they are newer than this program.
            ServiceError: if the database does not answer.
        """
        found = self.revision()
        if found != SCHEMA_REVISION:
            self._migrate(
                "upgrade",
                "head",
                f"The ledger's tables have revision {found}, this program knows up to {SCHEMA_REVISION}. Install the "
                "version that wrote them, or restore a backup.",
            )

    def migrate_to(self, revision: str) -> None:
        """Brings the tables up or down to ``revision``; going down loses what newer tables and columns hold.

        Raises:
            LedgerSchemaError: if there is no such revision.
            ServiceError: if the database does not answer.
        """
        known = self.revisions()
        if revision not in known:
            raise LedgerSchemaError(f"There is no revision {revision!r}; there are {', '.join(known)}.")
        now = self.revision()
        if now is not None and now not in known:
            raise LedgerSchemaError(f"The tables have revision {now}, which this program does not know.")
        goes_up = now is None or known.index(revision) > known.index(now)
        direction: Literal["upgrade", "downgrade"] = "upgrade" if goes_up else "downgrade"
        self._migrate(direction, revision, f"The tables were not brought to {revision}.")

    def _migrate(self, direction: Literal["upgrade", "downgrade"], revision: str, failed: str) -> None:
        from alembic import command
        from alembic.util import CommandError

        with self.writing() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has taken its write lock already
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                getattr(command, direction)(alembic_config(connection), revision)
            except CommandError as error:
                raise LedgerSchemaError(f"{failed} ({error})") from error

    def revisions(self) -> list[str]:
        """Every revision that this program knows, oldest first; ``base`` is an empty database."""
        from alembic.script import ScriptDirectory

        with self.reading() as connection:
            scripts = ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()
        return ["base", *reversed([script.revision for script in scripts])]

    def revision(self) -> str | None:
        """The revision of the tables; None for an empty database."""
        with self.reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return str(found) if found is not None else None

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


class LedgerPart:
    """Some tables of a ledger, seen as one subject."""

    def __init__(self, database: Database) -> None:
        self._database = database


def alembic_config(connection: Connection) -> Any:  # noqa: ANN401 - alembic is imported only where it runs
    """Alembic's configuration for running on ``connection``."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config


def _engine(url: str, answer_within_s: int | None) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        limit = {} if answer_within_s is None else {"connect_timeout": answer_within_s}
        return create_engine(parsed, pool_pre_ping=True, connect_args=limit)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own class
        connection.isolation_level = None  # transactions are begun by the listener below
        waits = f"busy_timeout={_BUSY_TIMEOUT_MS}"
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", waits, "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def sqlite_faults(path: Path) -> list[str]:
    """What is wrong with an SQLite file, in words: its structure, its indexes, its references; it is only read.

    Raises:
        ServiceError: if it cannot be read because of a full disk or another process.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})")]
            faults = [] if found == ["ok"] else [" ".join(says.split()) for says in found]
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_FAULTS):
                faults.append(f"row {row} of {table} refers to a row of {parent} that is not there")
            return faults + _unreadable_tables(connection)
    except sqlite3.Error as error:
        if any(words in str(error) for words in _NOT_ITS_FAULT):
            raise ServiceError(f"The database {path} cannot be read: {error}.") from error
        return [str(error)]


def _unreadable_tables(connection: sqlite3.Connection) -> list[str]:
    """Tables of which a row cannot be read, or holds text that is none."""
    faults = []
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        quoted = str(table).replace('"', '""')
        try:
            for _ in connection.execute(f'SELECT * FROM "{quoted}"'):  # a name that the file itself gave
                pass
        except (sqlite3.Error, UnicodeDecodeError) as error:
            faults.append(f"table {table}: {error}")
    return faults
