"""Old data aside, new data in its place, and back again; every step may be killed and ended by the next call.

Each exchange knows one kind of store. What is old lies beside what is new until the whole restore is healthy:
``put_back`` undoes an exchange however far it came, ``settle`` gives up the old data.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text

from doc_assets.errors import ServiceError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.estate import Estate
from doc_assets.ops.backup.manifest import MANIFEST, Manifest, read_manifest
from doc_assets.ops.backup.vectors import load_collections, our_collections, save_collections
from doc_assets.util.files import sync_folder

STAGED, ASIDE = ".restoring", ".before-restore"
_ALL_ASIDE = ".all-aside"
_OLD_SCHEMA = "before_restore"
_STAYS = (STAGED, ASIDE, ".lock", ".lock-holder", ".opening.lock")
"""Locks are held by whoever restores."""


class Exchange(Protocol):
    """One store that changes its contents."""

    def exchange(self) -> None:
        """Sets the old contents aside and puts the new ones in their place."""

    def put_back(self) -> None:
        """Brings the old contents back, if any are aside; no effect otherwise."""

    def settle(self) -> None:
        """Removes the old contents."""


@dataclass(frozen=True, slots=True)
class FolderExchange:
    """Entries of a folder. New ones wait in ``.restoring`` in it, old ones go to ``.before-restore`` in it.

    Only entries move, never the folder: it may be a volume of its own.

    Attributes:
        folder: whose entries change.
        names: only these; None for all but locks.
    """

    folder: Path
    names: tuple[str, ...] | None = None

    @property
    def staged(self) -> Path:
        """Where the new entries wait."""
        return self.folder / STAGED

    def exchange(self) -> None:
        """Moves the old entries aside, and the new ones in."""
        aside = self.folder / ASIDE
        aside.mkdir(parents=True, exist_ok=True)
        for path in self._here():
            path.rename(aside / path.name)
        (aside / _ALL_ASIDE).touch()
        sync_folder(aside)
        for path in list(self.staged.iterdir()) if self.staged.is_dir() else []:
            path.rename(self.folder / path.name)
        shutil.rmtree(self.staged, ignore_errors=True)
        sync_folder(self.folder)

    def put_back(self) -> None:
        """Removes the new entries if all old ones had been moved, and moves those back."""
        aside = self.folder / ASIDE
        if (aside / _ALL_ASIDE).exists():
            for path in self._here():
                _remove(path)
            (aside / _ALL_ASIDE).unlink()
        for path in list(aside.iterdir()) if aside.is_dir() else []:
            path.rename(self.folder / path.name)
        for left in (aside, self.staged):
            shutil.rmtree(left, ignore_errors=True)

    def settle(self) -> None:
        """Removes the old entries."""
        shutil.rmtree(self.folder / ASIDE, ignore_errors=True)
        shutil.rmtree(self.staged, ignore_errors=True)

    def _here(self) -> list[Path]:
        if self.names is not None:
            return [self.folder / name for name in self.names if (self.folder / name).exists()]
        return [path for path in self.folder.iterdir() if path.name not in _STAYS and not path.is_symlink()]


@dataclass(frozen=True, slots=True)
class PostgresExchange:
    """Tables of a database. The schema ``public`` is renamed, and a new one filled from the dump.

    It needs the database's owner, no right to make databases. Who may use the schema is taken over; rights on
    tables come from the default privileges of their owner.

    Attributes:
        url: of the database.
        dump: what goes in.
    """

    url: str
    dump: Path

    def exchange(self) -> None:
        """Renames the schema, makes it anew and loads the dump."""
        with databases.connected(self.url) as engine, engine.begin() as connection:
            _wait_shortly(connection)
            grants = list(_grants(connection))
            connection.execute(text(f"ALTER SCHEMA {databases.SCHEMA} RENAME TO {_OLD_SCHEMA}"))
            connection.execute(text(f"CREATE SCHEMA {databases.SCHEMA}"))
            for grant in grants:
                connection.execute(text(grant))
        databases.load_postgres(self.url, self.dump)

    def put_back(self) -> None:
        """Drops the new schema and gives the old one its name back."""
        with databases.connected(self.url) as engine, engine.begin() as connection:
            if _has_old(connection):
                _wait_shortly(connection)
                connection.execute(text(f"DROP SCHEMA IF EXISTS {databases.SCHEMA} CASCADE"))
                connection.execute(text(f"ALTER SCHEMA {_OLD_SCHEMA} RENAME TO {databases.SCHEMA}"))

    def settle(self) -> None:
        """Drops the old schema."""
        with databases.connected(self.url) as engine, engine.begin() as connection:
            if _has_old(connection):
                _wait_shortly(connection)
                connection.execute(text(f"DROP SCHEMA {_OLD_SCHEMA} CASCADE"))


@dataclass(slots=True)
class VectorExchange:
    """Collections of a vector store. Old ones are exported beside the home's data before they are dropped.

    Attributes:
        estate: whose store.
        backup: folder of the backup; None if only an interrupted exchange is to be undone.
        manifest: of that backup.
        lost: why old collections could not be kept; ``rebuild-index`` makes them from the old Parquet.
    """

    estate: Estate
    backup: Path | None = None
    manifest: Manifest | None = None
    lost: str = ""

    @property
    def _aside(self) -> Path:
        return self.estate.home / f"{ASIDE}-vectors"

    def exchange(self) -> None:
        """Exports the old collections, and loads those of the backup."""
        assert self.backup is not None and self.manifest is not None
        self._aside.mkdir(parents=True, exist_ok=True)
        with self.estate.open_store() as store:
            if our_collections(store):
                try:
                    kept = save_collections(store, self._aside)
                    aliases = {alias: name for alias, name in store.aliases().items() if name in kept}
                    old = self.manifest.model_copy(
                        update={"collections": kept, "aliases": aliases, "files": {}, "referenced": {}}
                    )
                    old.write(self._aside)
                except ServiceError as error:
                    self.lost = str(error)
            (self._aside / _ALL_ASIDE).touch()
            load_collections(store, self.backup, self.manifest.collections, self.manifest.aliases)

    def put_back(self) -> None:
        """Loads the old collections again."""
        if (self._aside / _ALL_ASIDE).exists():
            with self.estate.open_store() as store:
                if (self._aside / MANIFEST).exists():
                    old = read_manifest(self._aside)
                    load_collections(store, self._aside, old.collections, old.aliases)
                else:
                    load_collections(store, self._aside, {}, {})
        shutil.rmtree(self._aside, ignore_errors=True)

    def settle(self) -> None:
        """Removes the exported collections."""
        shutil.rmtree(self._aside, ignore_errors=True)


def _grants(connection: Connection) -> Iterator[str]:
    query = (
        "SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type "
        "FROM pg_namespace, aclexplode(nspacl) WHERE nspname = :schema AND grantee <> nspowner"
    )
    for role, privilege in connection.execute(text(query), {"schema": databases.SCHEMA}):
        yield f"GRANT {privilege} ON SCHEMA {databases.SCHEMA} TO {role}"  # both are the server's own words


def _has_old(connection: Connection) -> bool:
    query = text("SELECT count(*) FROM pg_namespace WHERE nspname = :schema")
    return bool(connection.execute(query, {"schema": _OLD_SCHEMA}).scalar_one())


def _wait_shortly(connection: Connection) -> None:
    connection.execute(text("SET LOCAL lock_timeout = '60s'"))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
