"""Databases into one file and back: SQLite by its backup interface, PostgreSQL by its own pg_dump and pg_restore."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from doc_assets.errors import BackupError, ServiceError

Kind = Literal["sqlite", "postgresql"]
_SCHEMA, _DESK = "public", "desk"
_OLD = {_SCHEMA: "before_restore", _DESK: "desk_before_restore"}
"""Schemas that are ours, with what a restore calls those that it replaces. ``desk`` holds people of the review desk."""
_COPY = re.compile(rb'^COPY "?(public|desk)"?\.("(?:[^"]|"")+"|\w+) \(')
_REVISION_TABLE = "alembic_version"
_PAGES_AT_ONCE = 2048
_WAIT_SHORTLY = text("SET LOCAL lock_timeout = '60s'")
_SUFFIX: dict[str, str] = {"sqlite": ".sqlite", "postgresql": ".dump"}


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a dump: rows by table (``desk.auth_user`` in that schema), and the revision of the ledger's tables."""

    rows: dict[str, int]
    revision: str | None


def kind_of(url: str) -> Kind:
    """Which kind of database a URL names."""
    return "sqlite" if make_url(url).get_backend_name() == "sqlite" else "postgresql"


def file_of(url: str) -> Path:
    """The file of an SQLite database."""
    return Path(make_url(url).database or "").absolute()


def dump(url: str, folder: Path, name: str) -> Path:
    """Writes a consistent copy of a database into a folder; returns the file.

    Raises:
        BackupError: if the database is not there, or its dump failed.
    """
    kind = kind_of(url)
    target = folder / f"{name}{_SUFFIX[kind]}"
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "sqlite":
        copy_sqlite(file_of(url), target)
    else:
        _run("pg_dump", url, f"--dbname={_libpq(url)}", *(f"--schema={each}" for each in _OLD), "--format=custom",
             "--no-owner", "--no-privileges", f"--file={target}")  # fmt: skip
    return target


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of an SQLite file that may be in use; one file without write-ahead log.

    Raises:
        BackupError: if it is not there or damaged.
    """
    if not source.is_file() or not source.stat().st_size:
        raise BackupError(f"The database {source} is missing or empty; there is nothing to back up.")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(_opened(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing, pages=_PAGES_AT_ONCE)
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"The database {source} cannot be copied: {error}. Is it damaged?") from error


def contents(path: Path, kind: Kind) -> Contents:
    """Reads a whole dump.

    Raises:
        BackupError: if it cannot be read to its end.
    """
    return _sqlite_contents(path) if kind == "sqlite" else _postgres_contents(path)


def live_rows(url: str, tables: Iterable[str]) -> dict[str, int]:
    """Rows of tables as the database has them now; a table that is not there has -1."""
    found = {}
    with connected(url) as engine, engine.connect() as connection:
        look = inspect(connection)
        quote = connection.dialect.identifier_preparer.quote_identifier
        known = set(look.get_table_names())
        if _DESK in look.get_schema_names():
            known |= {f"{_DESK}.{name}" for name in look.get_table_names(_DESK)}
        for table in tables:
            place = ".".join(map(quote, table.split(".", 1) if table.startswith(f"{_DESK}.") else [table]))
            count = text(f"SELECT count(*) FROM {place}")  # quoted
            found[table] = int(connection.execute(count).scalar_one()) if table in known else -1
    return found


def schemas_of(rows: Iterable[str]) -> list[str]:
    """Schemas of PostgreSQL that a dump with these tables fills."""
    return [_SCHEMA, *([_DESK] if any(table.startswith(f"{_DESK}.") for table in rows) else [])]


@contextmanager
def connected(url: str) -> Iterator[Engine]:
    """A database for a moment.

    Raises:
        ServiceError: if it does not answer or refuses.
    """
    engine = create_engine(url)
    try:
        yield engine
    except SQLAlchemyError as error:
        shown = make_url(url).render_as_string(hide_password=True)
        raise ServiceError(f"The database {shown} failed: {str(error).splitlines()[0]}") from error
    finally:
        engine.dispose()


def replace_postgres(url: str, path: Path, schemas: Sequence[str] = (_SCHEMA,)) -> None:
    """Renames schemas of a database, ``public`` to ``before_restore``, and loads a dump into new ones.

    After a failure it can be called again: what was there first stays ``before_restore``. It needs the owner of the
    schema, no right to make databases. Rights on the schema are taken over; those on tables come from the default
    privileges of their owner.

    Raises:
        BackupError: if the dump does not go in.
        ServiceError: if the database does not answer or refuses.
    """
    with connected(url) as engine, engine.begin() as connection:
        connection.execute(_WAIT_SHORTLY)
        for schema in schemas:
            _set_aside(connection, schema)
    _run("pg_restore", url, f"--dbname={_libpq(url)}", *(f"--schema={each}" for each in schemas), "--no-owner",
         "--no-privileges", "--exit-on-error", "--single-transaction", str(path))  # fmt: skip


def _set_aside(connection: Connection, schema: str) -> None:
    """Makes an empty schema with the rights of the one that is there, which is renamed unless that was done before."""
    grants = list(_grants(connection, schema))
    if _has_schema(connection, _OLD[schema]):
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
    elif _has_schema(connection, schema):
        connection.execute(text(f"ALTER SCHEMA {schema} RENAME TO {_OLD[schema]}"))
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    for grant in grants:
        connection.execute(text(grant))


def drop_old_schemas(url: str) -> None:
    """Drops what ``replace_postgres`` renamed, if it is there."""
    with connected(url) as engine, engine.begin() as connection:
        for old in _OLD.values():
            if _has_schema(connection, old):
                connection.execute(_WAIT_SHORTLY)
                connection.execute(text(f"DROP SCHEMA {old} CASCADE"))


def _grants(connection: Connection, schema: str) -> Iterator[str]:
    query = (
        "SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type "
        "FROM pg_namespace, aclexplode(nspacl) WHERE nspname = :schema AND grantee <> nspowner"
    )
    for role, privilege in connection.execute(text(query), {"schema": schema}):
        yield f"GRANT {privilege} ON SCHEMA {schema} TO {role}"  # role and privilege are the server's own words


def _has_schema(connection: Connection, schema: str) -> bool:
    query = text("SELECT count(*) FROM pg_namespace WHERE nspname = :schema")
    return bool(connection.execute(query, {"schema": schema}).scalar_one())


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _sqlite_contents(path: Path) -> Contents:
    try:
        with closing(_opened(path)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"{path} is damaged: {verdict}")
            listing = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            rows = {str(name): _count(connection, str(name)) for (name,) in connection.execute(listing).fetchall()}
            revision = None
            if rows.get(_REVISION_TABLE):
                (revision,) = connection.execute(f"SELECT version_num FROM {_REVISION_TABLE}").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no database that can be read: {error}") from error
    return Contents(rows, revision)


def _count(connection: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    return int(connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0])


def _postgres_contents(path: Path) -> Contents:
    """Lets pg_restore write the dump as SQL, and counts the lines of its data."""
    rows: dict[str, int] = {}
    revision = table = None
    command = [_program("pg_restore"), "--file=-", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if table is None:
                if found := _COPY.match(line):
                    name = found[2].decode("utf-8", "replace").strip('"').replace('""', '"')
                    table = f"{_DESK}.{name}" if found[1] == _DESK.encode() else name
                    rows[table] = 0
            elif line == b"\\.\n":
                table = None
            else:
                rows[table] += 1
                if table == _REVISION_TABLE:
                    revision = line.strip().decode("utf-8", "replace")
        said = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode:
        raise BackupError(f"{path} is no dump that pg_restore can read: {said[-500:]}")
    return Contents(rows, revision)


def _libpq(url: str) -> str:
    """The address as libpq takes it, without the password."""
    return make_url(url)._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)


def _run(program: str, url: str, *arguments: str) -> None:
    password = make_url(url).password
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    done = subprocess.run(
        [_program(program), *arguments], env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise BackupError(
            f"{program} ended with {done.returncode}: {done.stderr.strip()[-800:]}. Does the database answer, and is "
            f"{program} as new as its server?"
        )


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(f"There is no {name} here. Install PostgreSQL's client programs (Debian: postgresql-client).")
    return found
