"""An old backup does not bring back what was forgotten since."""

import json
import shutil


def _is_back(place, name):
    shown = place.run("show", name)
    assert "Traceback" not in shown.stderr
    return shown.returncode == 0


def test_a_document_forgotten_after_the_backup_stays_forgotten(place):
    """Beside the running home by its own ledger; into an empty one by the list beside the backups."""
    first = place.backup()
    name = place.archived()
    place.done("forget", name, "--yes")
    before = place.counts()

    beside = place.restore(first)

    assert beside["forgotten_again"] == [name.removesuffix(".tif")]
    assert beside["traces"] == 0
    assert not _is_back(place, name)
    assert place.counts() == before
    place.done("check", "--read-data")

    place.backup()
    (note,) = place.backups.glob("forgotten-*.json")
    assert note.stat().st_mode & 0o777 == 0o600
    assert name.removesuffix(".tif") not in note.read_text(encoding="ascii")
    shutil.rmtree(place.home)
    alone = place.restore(first)

    assert alone["forgotten_again"] == [name.removesuffix(".tif")]
    assert not _is_back(place, name)
    again = place.run("build-image-index", "--folder", place.files / "archive")
    assert (again.returncode, "were forgotten and are not taken again" in again.stdout) == (1, True)
    assert place.counts() == before


def test_what_cannot_be_known_is_said_and_a_damaged_list_is_no_empty_one(place):
    backup = place.backup()
    made_at = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))["made_at"]
    shutil.rmtree(place.home)

    report = place.restore(backup)
    assert any(made_at[:10] in note and "later requests must be repeated" in note for note in report["notes"])

    (place.backups / "forgotten-0123.json").write_text("{", encoding="ascii")
    refused = place.run("restore", backup, "--yes-restore-into", "home")
    assert (refused.returncode, "forgotten-0123.json cannot be read" in refused.stderr) == (2, True)


def test_what_was_allowed_again_comes_back(place):
    backup = place.backup()
    name = place.archived()
    place.done("forget", name, "--yes")
    place.backup()
    place.done("forget", name, "--allow")
    place.backup()
    shutil.rmtree(place.home)

    assert place.restore(backup)["forgotten_again"] == []
    assert _is_back(place, name)
