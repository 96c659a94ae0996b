"""A PostgreSQL server of the tests' own, if its programs are installed."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

_FOUND = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True), shutil.which("initdb")]
BIN = next((Path(found).parent for found in _FOUND if found), None)
"""Folder of the server's programs; None where PostgreSQL is not installed."""


@contextmanager
def running_server() -> Iterator[str]:
    """A server on a socket in a temporary folder; the URL of its first database."""
    assert BIN is not None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    as_owner = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]

    def control(*arguments: str) -> None:
        subprocess.run([*as_owner, str(BIN / "pg_ctl"), "-D", str(folder / "data"), "-w", *arguments], check=True,
                       cwd=folder, stdout=subprocess.DEVNULL)  # fmt: skip

    control("initdb", "-o", "-A trust -U tester --no-sync")
    control("start", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses= -c fsync=off")
    try:
        yield f"postgresql+psycopg2://tester@/postgres?host={folder}"
    finally:
        control("stop", "-m", "immediate")
        shutil.rmtree(folder)


@contextmanager
def empty_database(server: str, template: str = "template1") -> Iterator[str]:
    """The URL of a database of its own on that server, a copy of ``template``."""
    name = f"t{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield server.replace("/postgres?", f"/{name}?")
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
