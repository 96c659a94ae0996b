"""A home whose restore was killed is refused by everything but what ends the restore."""

import json
import os
import subprocess
import sys

import pytest

from doc_assets.archive.home import mark_half_made, require_whole
from doc_assets.errors import HomeBusyError, InterruptedRestoreError
from doc_assets.ops.home import claim_daemon, restoring
from doc_assets.util.files import claim

REFUSED = [
    ["status"],
    ["check", "--read-data"],
    ["index", "--folder", "."],
    ["build-image-index", "--folder", "."],
    ["search", "--folder", ".", "--output-folder", "out"],
    ["search-doc", "--folder", ".", "--output-folder", "out"],
    ["screen", "--all"],
    ["reindex"],
    ["rebuild-index"],
    ["maintain"],
    ["backup", "--to", "out"],
    ["export-stack", "out.tar"],
    ["forget", "x"],
    ["groups"],
    ["form-pictures"],
    ["relabel"],
    ["list-documents"],
    ["show", "x"],
    ["explain", "x", "y"],
    ["extract-photos", "--folder", ".", "--output-folder", "out"],
    ["retry-rejected"],
    ["find-pages", "--folder", ".", "--report", "out.csv"],
    ["migrate"],
    ["export-results", "--output", "out.csv"],
    ["models", "list"],
    ["send-test-alert"],
    ["demo"],
    ["ui"],
    ["serve-metrics"],
    ["serve-images", "--search-root", "."],
    ["serve"],
    ["people", "list"],
    ["people", "add", "kim"],
    ["people", "set-password", "kim"],
    ["people", "set-roles", "kim", "--role", "lead"],
    ["people", "disable", "kim"],
    ["keys", "list"],
    ["keys", "add", "agent", "--scope", "cases"],
    ["keys", "revoke", "agent"],
    ["audit"],
]
FREE = {
    "resolve-keys",
    "fit-embedder",
    "fit-words",
    "fit-probability",
    "verify-backup",
    "verify-package",
    "restore",
    "import-stack",
    "init",
    "doctor",
    "config",
}
"""Commands that do not use what the home holds, or end the restore."""


def _kill(place, backup, function, at_call=1):
    """Kills a restore where it calls a function of its module."""
    program = (
        "import os; from doc_assets.ops.backup import restore\n"
        f"real, left = restore.{function}, [{at_call}]\n"
        "def counted(*arguments):\n"
        "    left[0] -= 1\n"
        "    return real(*arguments) if left[0] else os._exit(9)\n"
        f"restore.{function} = counted\n"
        "from doc_assets.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "restore", str(backup), "--yes-restore-into", "home"]
    done = subprocess.run(command, cwd=place.folder, env=place.environment, check=False, capture_output=True)
    assert done.returncode == 9, done.stderr


@pytest.fixture
def half_made(settings, tmp_path, monkeypatch):
    settings.home.mkdir()
    mark_half_made(settings.home, "restore /backups/b1")
    monkeypatch.chdir(tmp_path)
    return settings.home


RUNNER = """
import json, sys
from typer.testing import CliRunner
from doc_assets.cli import main
from doc_assets.cli.shell import app
names = [command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands]
runs = []
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, arguments)
    runs.append([arguments, done.exit_code, done.output])
print(json.dumps({"names": names + [group.name for group in app.registered_groups], "runs": runs}))
"""


def _invoked(half_made, commands):
    """Every command in one process, which is quicker than one each; not one gets past its first lines."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUNNER, json.dumps(commands)],
        cwd=half_made.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.whole
def test_every_command_refuses_a_half_restored_home_and_says_how_it_ends(half_made):
    found = _invoked(half_made, REFUSED)

    for arguments, code, output in found["runs"]:
        assert code == 2, (arguments, output)
        assert "`doc-assets restore /backups/b1`" in output, (arguments, output)
    assert [path.name for path in half_made.iterdir()] == [".restore.json"]
    assert set(found["names"]) <= {arguments[0] for arguments in REFUSED} | FREE, "a command was left out"


def test_a_mark_of_the_version_before_names_its_backup_and_a_damaged_one_is_no_whole_home(half_made):
    for content, again in [
        ('{"phase": "switching", "folders": [], "backup": "/backups/b2", "served": false}', "restore /backups/b2"),
        ("{", "restore BACKUP"),
    ]:
        (half_made / ".restore.json").write_text(content, encoding="ascii")
        with pytest.raises(InterruptedRestoreError, match=f"`doc-assets {again}` does it again"):
            require_whole(half_made)


@pytest.mark.slow
def test_a_restore_killed_anywhere_is_done_again(place):
    """Killed while it copies it changed nothing; later the home is refused, and what was forgotten is not lost."""
    backup, saved = place.backup(), place.counts()
    name = place.archived()
    place.done("forget", name, "--yes")
    before = place.counts()
    assert before != saved

    _kill(place, backup, "mark_half_made")
    assert place.counts() == before

    kills = [("sync_folder", 1), ("load_collections", 1), ("_require_same_rows", 1), ("_remove_old", 1)]
    for number, (function, at_call) in enumerate(kills):
        _kill(place, backup, function, at_call)
        refused = place.run("status")
        assert refused.returncode == 2, (number, function)
        assert f"`doc-assets restore {backup}` does it again" in refused.stderr

    report = place.restore(backup)

    assert report["forgotten_again"] == [name.removesuffix(".tif")]
    assert report["traces"] == 0
    assert place.counts() == before
    place.done("check", "--read-data")
    assert not [path for path in place.home.rglob(".*") if "restor" in path.name]
    assert not list(place.home.glob("forgotten-*.json"))


def test_doctor_shows_it(half_made, settings):
    from doc_assets.ops.doctor.home import check_restore

    assert check_restore(settings).level == "red"
    (half_made / ".restore.json").unlink()
    assert check_restore(settings).level == "green"


def test_the_code_location_and_runs_refuse_it_too(half_made, settings):
    from doc_assets.defs.resources import resources
    from doc_assets.runtime import Runtime

    with pytest.raises(InterruptedRestoreError):
        resources()
    runtime = Runtime(settings)
    for opened in (runtime.archive, runtime.store):
        with pytest.raises(InterruptedRestoreError), opened():
            pass


def test_a_second_restore_says_who_is_restoring(half_made):
    handle = claim(half_made / ".exclusive.lock", "process 4711 on elsewhere")

    with pytest.raises(HomeBusyError, match="process 4711 on elsewhere"), restoring(half_made):
        pass

    os.close(handle)
    with restoring(half_made):
        require_whole(half_made)  # whoever restores may look
    with pytest.raises(InterruptedRestoreError):
        require_whole(half_made)


def test_a_second_daemon_says_who_was_first_and_a_dead_one_is_in_nobodys_way(settings):
    settings.dagster_home.mkdir(parents=True)
    program = (
        "import sys, time; from doc_assets.settings import load_settings\n"
        "from doc_assets.ops.home import claim_daemon\n"
        "claim_daemon(load_settings(), 'doc-assets ui')\n"
        "import os; os.execv(sys.executable, [sys.executable, '-c', "
        "'import time; print(\"up\", flush=True); time.sleep(60)'])"
    )
    first = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "up\n"

    with pytest.raises(HomeBusyError, match=rf"process {first.pid} on .*doc-assets ui, since"):
        claim_daemon(settings, "doc-assets ui")
    first.kill()
    first.communicate()

    claim_daemon(settings, "doc-assets ui")
