"""People, verdicts and audit of the review desk in backups and restores."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from doc_assets.archive.consistency import check_archive
from doc_assets.archive.ledger.desk_searches import GivenFile
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.ops.backup import databases
from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.home import check_audit
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets_tests.conftest import NOW


@pytest.fixture
def reviewed(place):
    """A home in which somebody signed in and did three things."""
    with closing(sqlite3.connect(place.home / "accounts.sqlite")) as accounts:
        accounts.execute("CREATE TABLE auth_user (username TEXT)")
        accounts.execute("INSERT INTO auth_user VALUES ('kim')")
        accounts.commit()
    (place.home / "desk.key").write_text("a secret", encoding="ascii")
    _note(place, "case 1", "case 2", "case 3")
    return place


def _ledger(place):
    return Ledger.open(f"sqlite:///{place.home / 'ledger.sqlite'}")


def _note(place, *subjects):
    with _ledger(place) as ledger:
        for subject in subjects:
            ledger.audit.add("kim", "case.see", subject, NOW)


def _audit(place):
    with _ledger(place) as ledger:
        return [entry.subject for entry in ledger.audit.page(9)][::-1], ledger.audit.verify().broken


def _behind_its_back(place, statement):
    """Changes the audit as whoever owns the file can."""
    with closing(sqlite3.connect(place.home / "ledger.sqlite")) as opened:
        for trigger in ("audit_no_update", "audit_no_delete"):
            opened.execute(f"DROP TRIGGER {trigger}")
        opened.execute(statement)
        opened.commit()


def _people(place):
    with closing(sqlite3.connect(place.home / "accounts.sqlite")) as accounts:
        return [name for (name,) in accounts.execute("SELECT username FROM auth_user")]


def test_people_and_audit_come_back(reviewed):
    backup = reviewed.backup()
    reviewed.done("verify-backup", backup)
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["audit"]["entries"] == 3
    shutil.rmtree(reviewed.home)

    report = reviewed.restore(backup)

    assert _people(reviewed) == ["kim"]
    assert (reviewed.home / "desk.key").read_text(encoding="ascii") == "a secret"
    assert [(reviewed.home / name).stat().st_mode & 0o777 for name in ("desk.key", "accounts.sqlite")] == [0o600] * 2
    assert _audit(reviewed) == (["case 1", "case 2", "case 3"], None)
    assert not [note for note in report["notes"] if "audit" in note]
    assert "3 entries fit" in reviewed.done("audit", "--verify", "--backup", reviewed.backups)


def test_searches_and_what_is_kept_of_them_come_back_and_files_that_only_wait_do_not(reviewed):
    file = GivenFile("mine.tif", "mine", "label-1.tif", "0" * 64, 9)
    with _ledger(reviewed) as ledger:
        number = ledger.desk_searches.add("kim", NOW, "folder", [file], keeps=True)
        ledger.desk_searches.started(number, "run-1")
    for folder in ("uploads/folder", "results/run-1/files"):
        (reviewed.home / folder).mkdir(parents=True)
        (reviewed.home / folder / file.label).write_bytes(b"of a query")
    backup = reviewed.backup()
    shutil.rmtree(reviewed.home)

    reviewed.restore(backup)

    with _ledger(reviewed) as ledger:
        (search,) = ledger.desk_searches.unended()
        assert (search.run_id, ledger.desk_searches.files([number])[number]) == ("run-1", [file])
    assert (reviewed.home / "results" / "run-1" / "files" / file.label).read_bytes() == b"of a query"
    assert not (reviewed.home / "uploads").exists()
    assert [path for path in backup.rglob("*") if "uploads" in str(path)] == []


def test_newer_people_are_replaced_and_those_of_a_home_whose_backup_has_none_stay(reviewed):
    with_people = reviewed.backup()
    with closing(sqlite3.connect(reviewed.home / "accounts.sqlite")) as accounts:
        accounts.execute("INSERT INTO auth_user VALUES ('lee')")
        accounts.commit()
    reviewed.restore(with_people)
    assert _people(reviewed) == ["kim"]

    aside = reviewed.home.rename(reviewed.folder / "aside")
    shutil.copytree(aside, reviewed.home)
    (reviewed.home / "accounts.sqlite").unlink()
    (reviewed.home / "desk.key").unlink()
    without = reviewed.backup()
    shutil.rmtree(reviewed.home)
    aside.rename(reviewed.home)

    reviewed.restore(without)

    assert _people(reviewed) == ["kim"]
    assert (reviewed.home / "desk.key").is_file()


def test_an_audit_that_lost_its_end_is_known_by_the_backup(reviewed):
    reviewed.backup()
    _behind_its_back(reviewed, "DELETE FROM audit WHERE number = 3")
    assert _audit(reviewed) == (["case 1", "case 2"], None)

    done = reviewed.run("audit", "--verify", DOC_ASSETS_BACKUP_DIR=str(reviewed.backups))

    assert done.returncode == 1
    assert "Entry 3 of the audit is missing" in done.stderr
    assert "Entry" not in reviewed.done("audit", "--verify")  # there is nothing to compare with
    _note(reviewed, "case 3 again")
    assert reviewed.run("audit", "--verify", "--backup", reviewed.backups).returncode == 1


def test_a_changed_entry_is_named_by_audit_doctor_and_check(reviewed):
    settings = Settings(home=reviewed.home, log_dir=reviewed.folder / "log")
    assert check_audit(settings).level is Level.GREEN
    _behind_its_back(reviewed, "UPDATE audit SET person = 'lee' WHERE number = 2")

    done = reviewed.run("audit", "--verify")

    assert (done.returncode, "Entry 2 does not fit" in done.stderr) == (1, True)
    found = check_audit(settings)
    assert (found.level, "entry 2 does not fit" in found.says) == (Level.RED, True)
    with Runtime(settings).archive() as archive, EmbeddedStore(settings.qdrant_dir) as store:
        faults = check_archive(archive, store, settings.collection_alias, Runtime(settings).versions()).faults
    assert [fault for fault in faults if "audit" in fault] == [
        "Entry 2 of the review desk's audit does not fit the one before it: it was changed."
    ]


def test_doctor_reads_the_newest_entries(ledger):
    for number in range(5):
        ledger.audit.add("kim", "case.see", f"case {number}", NOW)
    with ledger.database.writing() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text("UPDATE audit SET person = 'lee' WHERE number = 2"))

    assert ledger.audit.verify(newest=3).broken is None
    assert ledger.audit.verify(newest=4).broken == 2
    assert ledger.audit.verify(newest=3).entries == 5


def test_verify_backup_sees_that_people_cannot_be_read(reviewed):
    backup = reviewed.backup()
    (backup / "home" / "accounts.sqlite").write_bytes(b"no database")

    done = reviewed.run("verify-backup", backup)

    assert done.returncode == 1
    assert "accounts.sqlite" in done.stdout + done.stderr


def test_tables_of_a_dump_say_which_schemas_it_fills():
    assert databases.schemas_of(["documents", "desk.auth_user"]) == ["public", "desk"]
    assert databases.schemas_of(["documents"]) == ["public"]
