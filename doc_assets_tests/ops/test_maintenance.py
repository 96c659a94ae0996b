import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doc_assets.archive.consistency import check_archive
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import ServiceError
from doc_assets.ops.maintenance import MaintenanceReport, tidy_home
from doc_assets.sources.staging import fetched_origin, staged_path
from doc_assets_tests.pipeline.pipeline import Pipeline

TODAY = datetime.now(UTC)
KEEPING = {"keep_logs_days": 30, "keep_results_days": 365, "keep_superseded_days": 30}


@pytest.fixture
def home(settings, archive, tmp_path):
    return settings.model_copy(
        update={"home": tmp_path, "bulk_root": str(archive.bulk), "log_dir": tmp_path / "log", **KEEPING}
    )


@pytest.fixture
def pipeline(archive, reader, cutter, embedder, describer, tmp_path):
    return Pipeline(archive, reader, cutter, embedder, describer, tmp_path / "qdrant")


def written(path: Path, days_old: float, content: bytes = b"12345") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    age(path, days_old)
    return path


def age(path, days_old):
    then = (TODAY - timedelta(days=days_old)).timestamp()
    os.utime(path, (then, then))


def state_of(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_only_copies_that_no_current_document_needs_go(pipeline, archive, home, corpus, tmp_path):
    inbox = tmp_path / "in"
    inbox.mkdir()
    first, second, third = sorted((corpus / "archive").iterdir())[:3]
    shutil.copy(first, inbox / "a.tif")
    shutil.copy(third, inbox / "c.tif")
    pipeline.ingest(inbox)
    shutil.copy(second, inbox / "a.tif")
    (inbox / "broken.tif").write_bytes(b"II*\0")
    pipeline.ingest(inbox)
    documents = {document.sha256: document for document in archive.ledger.documents.arrivals(["a"])}
    (old,) = [digest for digest, document in documents.items() if not document.is_current]
    copies = list((Path(str(archive.bulk)) / "documents").rglob("*.tif"))
    assert len(copies) == 4
    young = tidy_home(home, archive.ledger, TODAY, dry_run=False)
    for path in copies:
        age(path, 31)

    before = state_of(tmp_path)
    dry = tidy_home(home, archive.ledger, TODAY, dry_run=True)
    assert state_of(tmp_path).keys() - {str(tmp_path / "ledger.sqlite-shm")} == before.keys() - {
        str(tmp_path / "ledger.sqlite-shm")
    }
    real = tidy_home(home, archive.ledger, TODAY, dry_run=False)

    assert young.kinds == {}
    (kind,) = dry.kinds
    assert dry.kinds[kind].n == 2  # the replaced version and the broken file
    assert dry.size_bytes == first.stat().st_size + 4
    assert (real.kinds, real.paths) == (dry.kinds, dry.paths)
    assert not staged_path(archive.bulk, old).exists()
    with pipeline.store() as store:
        assert check_archive(archive, store, "photos", pipeline.versions, read_data=True).faults == []
    assert tidy_home(home, archive.ledger, TODAY, dry_run=False).kinds == {}


def test_a_copy_that_comes_into_use_again_becomes_young(pipeline, archive, home, corpus, tmp_path):
    inbox = tmp_path / "in"
    inbox.mkdir()
    first, second = sorted((corpus / "archive").iterdir())[:2]
    for version in (first, second):
        shutil.copy(version, inbox / "a.tif")
        pipeline.ingest(inbox)
    for path in (Path(str(archive.bulk)) / "documents").rglob("*.tif"):
        age(path, 31)
    shutil.copy(first, inbox / "a.tif")
    pipeline.ingest(inbox)

    report = tidy_home(home, archive.ledger, TODAY, dry_run=False)

    assert [tally.n for tally in report.kinds.values()] == [1]
    with pipeline.store() as store:
        assert check_archive(archive, store, "photos", pipeline.versions).faults == []


def test_what_an_api_gave_stays_until_it_could_be_read(ledger, archive, home):
    fetched, other = "ab" * 32, "cd" * 32
    copies = [written(Path(str(staged_path(archive.bulk, digest))), 90) for digest in (fetched, other)]
    origin = fetched_origin("https://host/images?filename=a", fetched)
    ledger.intake.seal([ArrivedFile(origin, "a.tif", "a", 5, 1)], source="https://host", now=TODAY, chunk_documents=1)

    tidy_home(home, ledger, TODAY, dry_run=False)

    assert [copy.exists() for copy in copies] == [True, False]


def test_old_logs_go_and_the_open_one_and_other_programs_files_stay(ledger, home):
    log = home.log_dir
    gone = [
        written(log / "doc_assets-20260101T000000-1.log", 31),
        written(log / "0b5c-run" / "compute_logs" / "a.out", 31),
        written(log / "0b5c-run" / "compute_logs" / "a.err", 31),
        written(log / "__repository__" / "new_tif_sensor" / "20260101_000000.err", 31),
    ]
    stays = [
        written(log / "doc_assets.log", 31),
        written(log / "doc_assets-20261120T000000-1.log", 29),
        written(log / "other.log", 400),
        written(log / "apache" / "access.err", 400),
        written(log / "1a2b-run" / "compute_logs" / "a.err", 29),
    ]

    report = tidy_home(home, ledger, TODAY, dry_run=False)

    assert not [path for path in gone if path.exists()]
    assert [path for path in stays if path.exists()] == stays
    assert not (log / "0b5c-run").exists()
    assert report.size_bytes == 20
    assert {kind: tally.n for kind, tally in report.kinds.items()} == {"closed logs": 1, "output of runs": 3}


def test_a_report_is_as_old_as_its_youngest_file_and_links_are_left(ledger, home, tmp_path):
    results = home.results_dir
    written(results / "old-run" / "report.html", 366)
    written(results / "old-run" / "evidence" / "a.html", 400)
    written(results / "drops" / "20250101-0930-0001" / "report.html", 366)
    written(results / "mixed-run" / "report.html", 366)
    written(results / "mixed-run" / "evidence" / "a.html", 10)
    outside = written(tmp_path / "outside" / "file.html", 900)
    (results / "linked").symlink_to(outside.parent)
    written(results / "notes.txt", 900)

    report = tidy_home(home, ledger, TODAY, dry_run=False)

    assert sorted(path.name for path in results.iterdir()) == ["drops", "linked", "mixed-run", "notes.txt"]
    assert list((results / "drops").iterdir()) == []
    assert outside.exists()
    assert report.kinds["reports and evidence"].n == 2


def test_leftovers_of_killed_writers_go_and_the_inbox_is_never_touched(ledger, archive, home):
    bulk = Path(str(archive.bulk))
    left = written(bulk / "photos" / "drop" / ".000000.parquet.tmp", 2)
    alive = written(bulk / "photos" / "drop" / ".000128.parquet.tmp", 0)
    dropped = written(bulk / "inbox" / ".000000.parquet.tmp", 900)
    half = written(home.home / "models" / ".vit.new" / "config.json", 2).parent
    age(half, 2)

    tidy_home(home, ledger, TODAY, dry_run=False)

    assert [path.exists() for path in (left, alive, dropped, half)] == [False, True, True, False]


def test_files_of_searches_leave_after_their_hours_without_a_desk(ledger, home):
    old = written(home.uploads_dir / "abc" / "abc-1.tif", 2).parent
    new = written(home.uploads_dir / "def" / "def-1.tif", 0).parent
    age(old, 2)

    report = tidy_home(home, ledger, TODAY, dry_run=False)

    assert (old.exists(), new.exists()) == (False, True)
    assert report.kinds["files of searches"].n == 1


def test_nothing_is_kept_for_ever_only_if_asked(ledger, home):
    log = written(home.log_dir / "doc_assets-1.log", 9999)
    result = written(home.results_dir / "run" / "report.html", 9999)

    assert tidy_home(home.model_copy(update=dict.fromkeys(KEEPING, 0)), ledger, TODAY, dry_run=False).kinds == {}
    assert log.exists()
    assert result.exists()


def test_without_an_answer_of_the_ledger_no_document_is_deleted(archive, home, tmp_path):
    copy = written(Path(str(staged_path(archive.bulk, "ab" * 32))), 90)
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}") as broken:
        broken.database.engine.dispose()
        for file in tmp_path.glob("ledger.sqlite*"):
            file.unlink()
        path.mkdir()
        with pytest.raises(ServiceError):
            tidy_home(home, broken, TODAY, dry_run=False)

    assert copy.exists()


def test_what_cannot_be_deleted_is_named(ledger, home):
    blocked = written(home.log_dir / "doc_assets-1.log", 31)

    def refuse():
        raise PermissionError(1, "Operation not permitted")

    report = MaintenanceReport(dry_run=False)
    report.take("closed logs", blocked, 5, refuse)

    assert (report.n_failed, report.kinds) == (1, {})
    assert str(blocked) in report.failed[0]


def test_old_reports_of_the_lead_go_one_by_one(home, ledger):
    old = written(home.results_dir / "review" / "2025-01-01" / "review.json", 400)
    new = written(home.results_dir / "review" / "2026-11-20" / "review.json", 1)

    tidy_home(home, ledger, TODAY, dry_run=False)

    assert (old.parent.exists(), new.exists()) == (False, True)
