"""Old data aside and back, whatever kills the exchange in between; on folders and on a real PostgreSQL."""

import pytest
from sqlalchemy import create_engine, text

from doc_assets.errors import BackupError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.exchange import ASIDE, FolderExchange, PostgresExchange
from doc_assets_tests.archive.ledger import postgres


def _fill(folder, names, content):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _seen(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


OLD = {"a/1": "old", "b": "old", ".lock": "held"}
NEW = {"a/2": "new", "c": "new", ".lock": "held"}


@pytest.fixture
def exchange(tmp_path):
    made = FolderExchange(tmp_path / "folder")
    _fill(made.folder, ["a/1", "b"], "old")
    _fill(made.folder, [".lock"], "held")
    _fill(made.staged, ["a/2", "c"], "new")
    return made


def test_entries_change_places_and_locks_stay(exchange):
    exchange.exchange()
    assert {name: text for name, text in _seen(exchange.folder).items() if not name.startswith(ASIDE)} == NEW

    exchange.settle()
    assert _seen(exchange.folder) == NEW


def test_entries_come_back(exchange):
    exchange.exchange()
    exchange.put_back()

    assert _seen(exchange.folder) == OLD


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("step", ["exchange", "put_back"])
def test_a_kill_at_any_rename_loses_nothing(exchange, monkeypatch, at, step):
    import pathlib

    real, left = pathlib.Path.rename, [at]

    def rename(self, target):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return real(self, target)

    if step == "put_back":
        exchange.exchange()
    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "rename", rename)
        try:
            getattr(exchange, step)()
        except KeyboardInterrupt:
            assert left == [0]

    exchange.put_back()
    assert _seen(exchange.folder) == OLD


def test_only_named_entries_change(tmp_path):
    exchange = FolderExchange(tmp_path, ("ledger.sqlite", "ledger.sqlite-wal"))
    _fill(tmp_path, ["ledger.sqlite", "ledger.sqlite-wal", "other"], "old")
    _fill(exchange.staged, ["ledger.sqlite"], "new")

    exchange.exchange()
    exchange.settle()

    assert _seen(tmp_path) == {"ledger.sqlite": "new", "other": "old"}


# --- PostgreSQL


def _sql(url, *statements):
    engine = create_engine(url)
    with engine.begin() as connection:
        found = [connection.execute(text(statement)) for statement in statements]
        rows = found[-1].all() if found[-1].returns_rows else []
    engine.dispose()
    return rows


@pytest.fixture
def owned(postgres_server):
    """A database as the stack has it: an owner who is no superuser, and a role that may only use its rows."""
    if postgres.BIN is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres.empty_database(postgres_server) as url:
        database = _sql(url, "SELECT current_database()")[0][0]
        owner, user = f"owner_{database}", f"user_{database}"
        _sql(
            url,
            f"CREATE ROLE {owner} LOGIN",
            f"CREATE ROLE {user} LOGIN",
            f"ALTER DATABASE {database} OWNER TO {owner}",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            f"GRANT ALL ON SCHEMA public TO {owner}",
            f"GRANT USAGE ON SCHEMA public TO {user}",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT, INSERT ON TABLES TO {user}",
        )
        as_owner, as_user = (url.replace("tester@", f"{role}@") for role in (owner, user))
        _sql(
            as_owner,
            "CREATE TABLE kept (n INTEGER, body TEXT)",
            "CREATE TABLE alembic_version (version_num TEXT)",
            "INSERT INTO alembic_version VALUES ('0006')",
            "INSERT INTO kept VALUES (1, 'saved'), (2, E'two\\nlines \\\\. and a tab\\t')",
        )
        yield as_owner, as_user


def test_a_dump_made_by_a_reader_is_put_in_by_the_owner_with_the_same_rights(owned, tmp_path):
    owner, user = owned
    path = databases.dump(user, tmp_path, "ledger")
    assert databases.contents(path, "postgresql") == databases.Contents({"alembic_version": 1, "kept": 2}, "0006")
    _sql(owner, "INSERT INTO kept VALUES (3, 'later')", "CREATE TABLE newer (n INTEGER)")

    exchange = PostgresExchange(owner, path)
    exchange.exchange()
    exchange.settle()

    assert _sql(user, "SELECT n FROM kept ORDER BY n") == [(1,), (2,)]
    assert databases.live_rows(owner, ["kept", "newer"]) == {"kept": 2, "newer": -1}
    _sql(user, "INSERT INTO kept VALUES (4, 'by the reader and writer')")
    assert _sql(owner, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%restore%'") == []
    again = databases.dump(user, tmp_path / "again", "ledger")
    assert databases.contents(again, "postgresql").rows == {"alembic_version": 1, "kept": 3}


def test_the_old_tables_come_back(owned, tmp_path):
    owner, user = owned
    path = databases.dump(user, tmp_path, "ledger")
    _sql(owner, "INSERT INTO kept VALUES (3, 'later')")
    exchange = PostgresExchange(owner, path)

    exchange.put_back()  # nothing is aside
    exchange.exchange()
    exchange.put_back()
    assert _sql(user, "SELECT count(*) FROM kept") == [(3,)]

    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BackupError, match="pg_restore"):
        exchange.exchange()
    exchange.put_back()
    assert _sql(user, "SELECT count(*) FROM kept") == [(3,)]


def test_a_damaged_dump_is_noticed_when_it_is_read(owned, tmp_path):
    path = databases.dump(owned[1], tmp_path, "ledger")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BackupError):
        databases.contents(path, "postgresql")
