"""New data in the place of old, whatever kills the exchange in between; on folders and on a real PostgreSQL."""

import shutil

import pytest
from sqlalchemy import create_engine, text

from doc_assets.errors import BackupError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.restore import NEW, OLD, ReplacedFolder
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


LOCK = {".lock": "held"}


@pytest.fixture
def place(tmp_path):
    """A folder with old entries and a lock, and new ones that wait."""
    made = ReplacedFolder(tmp_path / "folder")
    _fill(made.path, ["a/1", "b"], "old")
    _fill(made.path, [".lock"], "held")
    _stage(made)
    return made


def _stage(place):
    _fill(place.path / NEW, ["a/2", "c"], "new")


def _parts(place):
    """Entries in place, and those that were set aside."""
    seen = _seen(place.path)
    aside = {name.removeprefix(f"{OLD}/"): text for name, text in seen.items() if name.startswith(f"{OLD}/")}
    return {name: text for name, text in seen.items() if not name.startswith(OLD)}, aside


def test_entries_change_places_and_locks_stay(place):
    place.exchange()

    assert _parts(place) == ({"a/2": "new", "c": "new", **LOCK}, {"a/1": "old", "b": "old", ".all-aside": ""})


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize("made_meanwhile", [(), ("a/3", "d")])
def test_a_kill_at_any_rename_is_mended_by_the_next_exchange(place, monkeypatch, at, made_meanwhile):
    """What was there first stays the old data, whatever was put or made in its place since."""
    import pathlib

    real, left = pathlib.Path.rename, [at]

    def rename(self, target):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pathlib.Path, "rename", rename)
        place.exchange()
    assert "old" in {**_parts(place)[0], **_parts(place)[1]}.values()
    _fill(place.path, made_meanwhile, "made")
    shutil.rmtree(place.path / NEW)
    _stage(place)

    place.exchange()

    now, aside = _parts(place)
    assert now == {"a/2": "new", "c": "new", **LOCK}
    assert {name: text for name, text in aside.items() if text == "old"} == {"a/1": "old", "b": "old"}
    if at > 2:  # all that was old had been moved: nothing else comes beside it, least of all another log of a database
        assert aside == {"a/1": "old", "b": "old", ".all-aside": ""}


def test_only_named_entries_change(tmp_path):
    place = ReplacedFolder(tmp_path, ("ledger.sqlite", "ledger.sqlite-wal"))
    _fill(tmp_path, ["ledger.sqlite", "ledger.sqlite-wal", "other"], "old")
    _fill(tmp_path / NEW, ["ledger.sqlite"], "new")

    place.exchange()

    assert _parts(place)[0] == {"ledger.sqlite": "new", "other": "old"}


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

    databases.replace_postgres(owner, path)
    databases.drop_old_schemas(owner)

    assert _sql(user, "SELECT n FROM kept ORDER BY n") == [(1,), (2,)]
    assert databases.live_rows(owner, ["kept", "newer"]) == {"kept": 2, "newer": -1}
    _sql(user, "INSERT INTO kept VALUES (4, 'by the reader and writer')")
    assert _sql(owner, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%restore%'") == []
    again = databases.dump(user, tmp_path / "again", "ledger")
    assert databases.contents(again, "postgresql").rows == {"alembic_version": 1, "kept": 3}


def test_the_first_tables_are_kept_until_they_are_dropped_however_often_a_dump_fails(owned, tmp_path):
    owner, user = owned
    path = databases.dump(user, tmp_path, "ledger")
    whole = path.read_bytes()
    _sql(owner, "INSERT INTO kept VALUES (3, 'later')")
    databases.drop_old_schemas(owner)  # nothing is there

    path.write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(BackupError, match="pg_restore"):
            databases.replace_postgres(owner, path)
        assert databases.live_rows(owner, ["kept"]) == {"kept": -1}
        assert _sql(owner, "SELECT count(*) FROM before_restore.kept") == [(3,)]

    path.write_bytes(whole)
    databases.replace_postgres(owner, path)
    assert _sql(user, "SELECT count(*) FROM kept") == [(2,)]
    assert _sql(owner, "SELECT count(*) FROM before_restore.kept") == [(3,)]
    databases.drop_old_schemas(owner)
    assert _sql(owner, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%restore%'") == []


def test_people_of_the_desk_are_part_of_the_dump(owned, tmp_path):
    owner, _ = owned
    _sql(
        owner,
        "CREATE SCHEMA desk",
        "CREATE TABLE desk.auth_user (name TEXT)",
        "INSERT INTO desk.auth_user VALUES ('kim')",
    )
    path = databases.dump(owner, tmp_path, "ledger")
    rows = databases.contents(path, "postgresql").rows
    assert rows == {"alembic_version": 1, "kept": 2, "desk.auth_user": 1}
    _sql(owner, "INSERT INTO desk.auth_user VALUES ('lee')")

    for _ in range(2):  # the first was killed, say
        databases.replace_postgres(owner, path, databases.schemas_of(rows))
        assert databases.live_rows(owner, rows) == rows
        assert _sql(owner, "SELECT count(*) FROM desk_before_restore.auth_user") == [(2,)]
    databases.drop_old_schemas(owner)

    assert _sql(owner, "SELECT name FROM desk.auth_user") == [("kim",)]
    assert _sql(owner, "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%restore%'") == []
    _sql(owner, "DROP SCHEMA desk CASCADE")
    assert databases.live_rows(owner, rows)["desk.auth_user"] == -1
    databases.replace_postgres(owner, path, databases.schemas_of(rows))
    assert databases.live_rows(owner, rows) == rows


def test_a_damaged_dump_is_noticed_when_it_is_read(owned, tmp_path):
    path = databases.dump(owned[1], tmp_path, "ledger")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BackupError):
        databases.contents(path, "postgresql")
