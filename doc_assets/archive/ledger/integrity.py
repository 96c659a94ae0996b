"""Whether the files of SQLite databases are what was written to them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from doc_assets.errors import ServiceError

_MOST = 20
_NOT_ITS_FAULT = ("disk I/O error", "unable to open", "database is locked")
"""What a full disk or another process causes; reading needs a small file beside the database."""


def sqlite_faults(path: Path) -> list[str]:
    """What is wrong with an SQLite file, in words: its structure, its indexes, its references; it is only read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
            faults = [] if found == ["ok"] else [" ".join(says.split()) for says in found]
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST):
                faults.append(f"row {row} of {table} refers to a row of {parent} that is not there")
            faults += _unreadable(connection)
    except sqlite3.Error as error:
        if any(words in str(error) for words in _NOT_ITS_FAULT):
            raise ServiceError(f"The database {path} cannot be read: {error}.") from error
        return [str(error)]
    return faults


def _unreadable(connection: sqlite3.Connection) -> list[str]:
    """Tables of which a row cannot be read, or holds text that is none."""
    faults = []
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        quoted = str(table).replace('"', '""')
        try:
            for _ in connection.execute(f'SELECT * FROM "{quoted}"'):  # a name that the file itself gave
                pass
        except (sqlite3.Error, UnicodeDecodeError) as error:
            faults.append(f"table {table}: {error}")
    return faults
