"""Backup, destroy, restore: equal counts and the same answers, as an operator does it."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from alembic import command
from sqlalchemy import create_engine, text

from doc_assets.archive.ledger.database import alembic_config
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.scope import entry_of
from doc_assets_tests.archive.ledger import postgres
from doc_assets_tests.ops.backup.conftest import PLANS, Place


@pytest.mark.slow
def test_a_destroyed_home_comes_back_with_equal_counts_and_the_same_answers(searched):
    place, before = searched, searched.counts()

    backup = place.backup()
    place.done("verify-backup", backup)
    shutil.rmtree(place.home)
    report = place.restore(backup)

    assert place.counts() == before
    assert not [path for path in place.home.rglob(".*") if "restor" in path.name]
    assert place.answers("after") == place.first_answers
    assert len(place.first_answers) == 20
    place.done("check", "--read-data")
    assert report["forgotten_again"] == []
    assert (place.home / "results" / "before" / "report.html").is_file()


@pytest.fixture
def on_postgres(tmp_path, twenty, postgres_server):
    """A home whose ledger and Dagster records are in databases of their own."""
    with postgres.empty_database(postgres_server) as ledger, postgres.empty_database(postgres_server) as dagster:
        place = Place(tmp_path, twenty, DOC_ASSETS_LEDGER_URL=ledger)
        dagster_home = place.home / "dagster"
        dagster_home.mkdir(parents=True)
        storage = {"storage": {"postgres": {"postgres_url": dagster}}, "telemetry": {"enabled": False}}
        (dagster_home / "dagster.yaml").write_text(yaml.safe_dump(storage), encoding="utf-8")
        place.databases = [ledger, dagster]
        yield place


@pytest.mark.slow
@pytest.mark.skipif(postgres.BIN is None, reason="PostgreSQL is not installed")
def test_the_same_holds_with_ledger_and_dagster_in_postgresql(on_postgres, twenty, searched):
    place = on_postgres
    place.done("build-image-index", "--folder", twenty / "archive")
    before = place.counts()

    backup = place.backup()
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["ledger"]["kind"], manifest["dagster"]["kind"]) == ("postgresql", "postgresql")
    configuration = (place.home / "dagster" / "dagster.yaml").read_text(encoding="utf-8")
    shutil.rmtree(place.home)
    for url in place.databases:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    (place.home / "dagster").mkdir(parents=True)
    (place.home / "dagster" / "dagster.yaml").write_text(configuration, encoding="utf-8")
    place.restore(backup)

    assert place.counts() == before
    assert place.answers("after") == searched.first_answers
    place.done("check")
    place.done("verify-backup", place.backup())  # also of schemas that a restore made


def test_a_restore_beside_newer_data_replaces_all_of_it(place, drawn):
    backup, before = place.backup(), place.counts()
    more = place.folder / "more"
    more.mkdir()
    shutil.copy(sorted((drawn / "incoming").iterdir())[0], more)
    place.done("build-image-index", "--folder", more)
    assert place.counts() != before

    newer = place.counts()
    refused = place.run("restore", backup)
    wrong = place.run("restore", backup, "--yes-restore-into", "other")
    assert (refused.returncode, wrong.returncode) == (2, 2)
    assert "--yes-restore-into home" in refused.stderr
    assert place.counts() == newer

    place.restore(backup)

    assert place.counts() == before
    place.done("check", "--read-data")


def test_an_exported_stack_is_taken_in_by_another_home(place, tmp_path, drawn):
    before = place.counts()
    file = tmp_path / "stack.tar"

    place.done("export-stack", file)
    other = Place(tmp_path / "other", drawn)
    other.folder.mkdir()
    other.done("import-stack", file, "--yes-restore-into", "home")

    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".export")] == []
    assert other.counts() == before
    other.done("check", "--read-data")
    assert place.run("export-stack", file).returncode == 2  # it is there


def test_a_lost_vector_store_is_made_again_from_parquet(place):
    before = place.counts()
    shutil.rmtree(place.home / "qdrant")
    assert place.run("check").returncode == 1

    place.done("rebuild-index")

    assert place.counts() == before
    place.done("check")


def test_a_backup_by_reference_needs_the_documents_where_they_are(place):
    before = place.counts()
    folder = Path(json.loads(place.done("backup", "--to", place.backups, "--reference", "--json"))["folder"])
    assert not (folder / "bulk").exists()
    place.done("verify-backup", folder)
    shutil.rmtree(place.home / "qdrant")
    (place.home / "ledger.sqlite").unlink()

    place.restore(folder)
    assert place.counts() == before
    place.done("check", "--read-data")

    next((place.home / "documents").rglob("*.tif")).unlink()
    assert place.run("verify-backup", folder).returncode == 1
    refused = place.run("restore", folder, "--yes-restore-into", "home")
    assert refused.returncode == 2
    assert place.run("export-stack", place.folder / "x.tar", "--backup", folder).returncode == 2


@pytest.mark.slow
def test_every_incoming_plan_is_a_query_of_the_drill(searched):
    assert searched.first_answers.keys() == {plan.name for plan in PLANS if plan.folder == "incoming"}
    assert len(searched.first_answers) == 20


def test_a_backup_of_the_version_before_comes_back(place):
    """Its ledger has tables of an earlier revision; names and format of what it holds are those of format 1."""
    model = place.home / "models" / "own" / "weights"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    backup, before = place.backup(), place.counts()
    ledger, manifest = backup / "databases" / "ledger.sqlite", json.loads((backup / "manifest.json").read_text())
    engine = create_engine(f"sqlite:///{ledger}")
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0012")
    engine.dispose()
    found = databases.contents(ledger, "sqlite")
    assert found.revision == "0012"
    manifest["ledger"] |= {"revision": found.revision, "rows": found.rows}
    manifest["files"]["databases/ledger.sqlite"] = entry_of(ledger).model_dump()
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert {name.partition("/")[0] for name in manifest["files"]} == {
        "bulk", "configuration.json", "dagster", "databases", "home", "vectors"
    }  # fmt: skip
    shutil.rmtree(place.home)

    place.restore(backup)

    assert place.counts() == before
    assert model.read_bytes() == b"weights"
    place.done("check", "--read-data")
