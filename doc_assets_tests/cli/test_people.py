"""People of the review desk on the command line, each command as a process: Django is set up once a process."""

import json
import subprocess

import pytest

from doc_assets.ops.backup import databases
from doc_assets_tests.archive.ledger import postgres
from doc_assets_tests.archive.ledger.conftest import postgres_server
from doc_assets_tests.program import PROGRAM, outside_environment

__all__ = ["postgres_server"]
pytestmark = pytest.mark.whole
PASSWORD = "Long enough, and not common 7"


@pytest.fixture
def settings_of():
    """Further settings of the commands."""
    return {}


@pytest.fixture
def run(tmp_path, settings_of):
    environment = outside_environment() | {
        "DOC_ASSETS_HOME": str(tmp_path / "home"), "DOC_ASSETS_LOG_DIR": str(tmp_path / "log")
    }  # fmt: skip

    def command(*arguments, typed=""):
        return subprocess.run(
            [PROGRAM, *arguments],
            input=typed,
            env=environment | settings_of,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return command


def test_people_are_added_and_changed_and_all_of_it_is_in_the_audit(run, tmp_path):
    added = run("people", "add", "kim", typed=f"{PASSWORD}\n{PASSWORD}\n")
    weak = run("people", "add", "lee", typed="short\nshort\n")
    roles = run("people", "set-roles", "kim", "--role", "lead")
    unknown = run("people", "set-roles", "kim", "--role", "boss")
    disabled = run("people", "disable", "kim")

    assert [done.returncode for done in (added, weak, roles, unknown, disabled)] == [0, 1, 0, 1, 0], added.stderr
    (kim,) = json.loads(run("people", "list", "--json").stdout)
    assert (kim["name"], kim["roles"], kim["is_active"]) == ("kim", ["lead"], False)
    entries = json.loads(run("audit", "--json").stdout)[::-1]
    assert [(entry["action"], entry["subject"], entry["detail"]) for entry in entries] == [
        ("people.add", "person kim", {"roles": ["reviewer"]}),
        ("people.set_roles", "person kim", {"before": ["reviewer"], "after": ["lead"]}),
        ("people.disable", "person kim", {}),
    ]
    assert all(entry["person"].endswith(" (command line)") for entry in entries)
    assert PASSWORD not in str(entries)
    assert (tmp_path / "home" / "accounts.sqlite").stat().st_mode & 0o777 == 0o600
    assert run("audit", "--verify").returncode == 0


@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_with_the_ledger_in_postgresql_people_are_beside_it_and_in_its_dump(
    run, settings_of, postgres_server, tmp_path
):
    with postgres.empty_database(postgres_server) as url:
        settings_of["DOC_ASSETS_LEDGER_URL"] = url
        assert run("people", "add", "kim", typed=f"{PASSWORD}\n{PASSWORD}\n").returncode == 0
        assert not (tmp_path / "home" / "accounts.sqlite").exists()
        dump = databases.dump(url, tmp_path, "ledger")
        rows = databases.contents(dump, "postgresql").rows
        assert (rows["desk.auth_user"], rows["audit"]) == (1, 1)
        assert run("people", "disable", "kim").returncode == 0

        databases.replace_postgres(url, dump, databases.schemas_of(rows))

        assert databases.live_rows(url, rows) == rows
        assert [each["is_active"] for each in json.loads(run("people", "list", "--json").stdout)] == [True]
        assert run("people", "set-roles", "kim", "--role", "lead").returncode == 0
        assert "2 entries fit" in run("audit", "--verify").stdout
