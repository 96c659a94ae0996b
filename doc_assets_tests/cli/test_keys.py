"""Named keys on the command line, each command as a process: Django is set up once a process."""

import json
import re
import sqlite3
from contextlib import closing

import pytest

from doc_assets.ops.backup import databases
from doc_assets_tests.archive.ledger import postgres
from doc_assets_tests.archive.ledger.conftest import postgres_server
from doc_assets_tests.cli.test_people import run, settings_of

__all__ = ["postgres_server", "run", "settings_of"]
pytestmark = pytest.mark.whole


def test_a_key_is_printed_once_listed_and_revoked_and_all_of_it_is_in_the_audit(run, tmp_path):
    added = run("keys", "add", "agent", "--scope", "cases", "--scope", "metrics", "--days", "7")
    again = run("keys", "add", "agent", "--scope", "cases")
    unknown = run("keys", "add", "other", "--scope", "everything")
    listed = run("keys", "list", "--json")
    revoked = run("keys", "revoke", "agent")
    twice = run("keys", "revoke", "agent")

    assert [done.returncode for done in (added, again, unknown, revoked, twice)] == [0, 1, 1, 0, 1], added.stderr
    text = added.stdout.strip()
    prefix, secret = re.fullmatch(r"da_([0-9a-f]{8})_([0-9a-f]{40})", text).groups()
    (key,) = json.loads(listed.stdout)
    assert (key["prefix"], key["name"], key["scopes"], key["state"]) == (prefix, "agent", ["cases", "metrics"], "valid")
    assert json.loads(run("keys", "list", "--json").stdout)[0]["state"] == "revoked"
    entries = json.loads(run("audit", "--json").stdout)[::-1]
    assert [(entry["action"], entry["subject"]) for entry in entries] == [
        ("keys.add", f"key {prefix}"),
        ("keys.revoke", f"key {prefix}"),
    ]
    kept = [path for folder in ("home", "log") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def test_keys_are_in_a_copy_of_the_accounts(run, tmp_path):
    assert run("keys", "add", "agent", "--scope", "images").returncode == 0
    databases.copy_sqlite(tmp_path / "home" / "accounts.sqlite", tmp_path / "copy.sqlite")

    assert databases.contents(tmp_path / "copy.sqlite", "sqlite").rows["api_keys"] == 1
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        assert copy.execute("SELECT name FROM api_keys").fetchall() == [("agent",)]


@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_with_the_ledger_in_postgresql_keys_are_beside_it_and_in_its_dump(run, settings_of, postgres_server, tmp_path):
    with postgres.empty_database(postgres_server) as url:
        settings_of["DOC_ASSETS_LEDGER_URL"] = url
        assert run("keys", "add", "agent", "--scope", "images").returncode == 0
        dump = databases.dump(url, tmp_path, "ledger")
        rows = databases.contents(dump, "postgresql").rows
        assert rows["desk.api_keys"] == 1
        assert run("keys", "revoke", "agent").returncode == 0

        databases.replace_postgres(url, dump, databases.schemas_of(rows))

        assert [each["state"] for each in json.loads(run("keys", "list", "--json").stdout)] == ["valid"]
        assert run("keys", "add", "agent", "--scope", "images").returncode == 1
