"""People of the review desk on the command line, each command as a process: Django is set up once a process."""

import json
import subprocess

import pytest

from doc_assets_tests.program import PROGRAM, outside_environment

pytestmark = pytest.mark.whole
PASSWORD = "Long enough, and not common 7"


@pytest.fixture
def run(tmp_path):
    environment = outside_environment() | {
        "DOC_ASSETS_HOME": str(tmp_path / "home"), "DOC_ASSETS_LOG_DIR": str(tmp_path / "log")
    }  # fmt: skip

    def command(*arguments, typed=""):
        return subprocess.run(
            [PROGRAM, *arguments],
            input=typed,
            env=environment,
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
