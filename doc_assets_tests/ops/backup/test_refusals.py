"""What is missing, empty or damaged is refused, and leaves everything as it was."""

import json
import shutil
import sqlite3

import pytest


def _lose_the_ledger(home):
    (home / "ledger.sqlite").unlink()


def _empty_the_ledger(home):
    (home / "ledger.sqlite").unlink()
    sqlite3.connect(home / "ledger.sqlite").close()


def _lose_the_documents(home):
    shutil.rmtree(home / "documents")


def _lose_one_document(home):
    next((home / "documents").rglob("*.tif")).unlink()


def _damage_one_document(home):
    path = next((home / "documents").rglob("*.tif"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _lose_the_photos(home):
    shutil.rmtree(home / "photos")


def _empty_the_embeddings(home):
    shutil.rmtree(home / "embeddings")
    (home / "embeddings").mkdir()


def _lose_the_store(home):
    shutil.rmtree(home / "qdrant")


def _lose_the_alias(home):
    (home / "qdrant" / "aliases.json").unlink()


def _damage_the_ledger(home):
    content = bytearray((home / "ledger.sqlite").read_bytes())
    content[100:20000] = b"\xff" * 19900
    (home / "ledger.sqlite").write_bytes(content)


@pytest.mark.parametrize(
    ("lose", "named"),
    [
        (_lose_the_ledger, "ledger.sqlite is missing"),
        (_empty_the_ledger, "ledger"),
        (_lose_the_documents, "documents is missing or empty"),
        (_lose_one_document, "The copies of 1 documents are missing or damaged"),
        (_damage_one_document, "The copies of 1 documents are missing or damaged"),
        (_damage_the_ledger, "cannot be read"),
        (_lose_the_photos, "photos is missing or empty"),
        (_empty_the_embeddings, "embeddings is missing or empty"),
        (_lose_the_store, "rebuild-index"),
        (_lose_the_alias, "no collection behind 'photos'"),
    ],
)
def test_a_backup_with_a_missing_source_is_refused(place, lose, named):
    lose(place.home)

    refused = place.run("backup", "--to", place.backups)

    assert refused.returncode == 2
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [path.name for path in place.backups.iterdir() if path.name != ".lock"] == []


def test_an_empty_home_and_a_wrong_folder_are_refused(place, tmp_path):
    nothing = place.run("backup", "--to", place.backups, DOC_ASSETS_HOME=str(tmp_path / "new"))
    inside = place.run("backup", "--to", place.home / "documents" / "backups")
    unnamed = place.run("backup")

    assert (nothing.returncode, inside.returncode, unnamed.returncode) == (2, 2, 2)
    assert "missing" in nothing.stderr
    assert "backed up itself" in inside.stderr
    assert "DOC_ASSETS_BACKUP_DIR" in unnamed.stderr


def test_damage_is_found_and_a_damaged_backup_is_not_restored(place):
    place.environment["DOC_ASSETS_QDRANT_API_KEY"] = "hunter2-hunter2"
    backup, before = place.backup(), place.counts()
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    assert {path.relative_to(backup).as_posix() for path in backup.rglob("*") if path.is_file()} == {
        *manifest["files"], "manifest.json"
    }  # fmt: skip
    secrets = json.loads((backup / "configuration.json").read_text(encoding="utf-8"))["secrets"]
    assert "DOC_ASSETS_QDRANT_API_KEY" in secrets
    assert not [path for path in backup.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    photo = next(name for name in manifest["files"] if name.startswith("bulk/photos/"))
    content = (backup / photo).read_bytes()

    for damaged, said in [
        (content[:-1] + bytes([content[-1] ^ 1]), "another SHA-256"),
        (content[:-1], "bytes, the manifest says"),
        (None, "cannot be read"),
    ]:
        (backup / photo).unlink()
        if damaged is not None:
            (backup / photo).write_bytes(damaged)
        found = place.run("verify-backup", backup)
        assert (found.returncode, said in found.stdout) == (1, True), found.stdout
    (backup / photo).write_bytes(content)
    (backup / "stranger").write_bytes(b"x")
    assert "not in the manifest" in place.run("verify-backup", backup).stdout
    refused = place.run("restore", backup, "--yes-restore-into", "home")
    assert (refused.returncode, "is not whole" in refused.stderr) == (2, True)
    (backup / "stranger").unlink()

    manifest["ledger"]["rows"]["documents"] += 1
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "other rows than the manifest says in documents" in place.run("verify-backup", backup).stdout
    manifest["ledger"]["revision"] = "9999"
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "verify and restore it with the version that made it" in place.run("verify-backup", backup).stdout
    assert place.counts() == before


def test_a_damaged_ledger_is_no_source_and_can_be_replaced(place):
    backup, before = place.backup(), place.counts()
    _damage_the_ledger(place.home)

    place.restore(backup)

    assert place.counts() == before


def test_a_home_that_disagrees_with_itself_after_loading_stays_refused_until_it_is_restored_again(place):
    """Settings of another describer: the tables of the backup are not what this home works with."""
    backup, before = place.backup(), place.counts()
    marker = place.home / "models" / "marker"
    marker.parent.mkdir(exist_ok=True)
    marker.write_text("of the home before", encoding="utf-8")

    refused = place.run("restore", backup, "--yes-restore-into", "home", DOC_ASSETS_MAX_FEATURES="123")

    assert refused.returncode == 2
    assert "Are the settings those of the backup" in refused.stderr
    assert f"`doc-assets restore {backup}` does it again" in refused.stderr
    assert (place.home / "models" / ".before-restore" / "marker").read_text(encoding="utf-8") == "of the home before"
    assert place.run("status").returncode == 2

    place.restore(backup)

    assert place.counts() == before
    assert not marker.exists()
    place.done("check", "--read-data")
    assert not [path for path in place.home.rglob(".*") if "restor" in path.name]
