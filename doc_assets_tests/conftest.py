import contextlib
import fcntl
import gc
import os
import shutil
import sqlite3
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine, event
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.features.embedders.base import make_embedder
from doc_assets.features.sift import SiftExtractor
from doc_assets.features.words import Describer, VisualWords
from doc_assets.lab.corpus import IDENTICAL, DocumentPlan, draw_corpus, plan_corpus
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.settings import PREFIX, Settings
from doc_assets_tests.once import once
from doc_assets_tests.program import Program

INCOMING = [IDENTICAL, "recompressed", "turned by 90°", "mirrored", "printed and scanned", None]
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

# Tests run on all cores already: threads of one test that wait for each other would only burn what the others need.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")

hypothesis.settings.register_profile("brief", max_examples=25)

LARGE = {"corpus", "twenty", "postgres_server", "vit"}
"""Fixtures that draw documents, start a server or import transformers: tests that have one are ``whole``."""

SLOWEST = (
    "cli/test_kill.py",
    "web/test_browser.py",
    "web/test_search_browser.py",
    "web/test_dagster_runs.py",
    "ops/backup/test_drill.py",
    "cli/test_daemon.py",
    "cli/test_reindex.py",
    "cli/test_who_was_first.py",
    "ops/metrics/test_scrape.py",
    "pipeline/test_at_once.py",
    "test_torch_step.py",
    "ops/backup/test_object_storage.py",
    "cli/test_hidden_folders.py",
    "cli/test_init.py",
    "search/verify/test_likeness.py",
    "cli/test_forget.py",
    "cli/test_cli.py",
    "pipeline/test_pipeline.py",
    "cli/test_sixty_queries.py",
    "cli/test_form_pictures_by_word.py",
    "sources/test_s3.py",
    "pipeline/test_one_bad_thing.py",
    "cli/test_screen.py",
    "ops/erasure/test_run.py",
    "pipeline/test_one_bad_thing_screened.py",
    "pipeline/test_reviewing.py",
    "pipeline/test_screening.py",
    "test_alike.py",
    "search/test_run.py",
    "ops/backup/test_lost_points.py",
    "cases/test_tables.py",
    "cli/test_examine.py",
)
"""Modules with the most CPU time, the longest first: begun last, one of them would keep one worker alone."""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Workers import the tests one after the other: the first compiles what no cache holds yet, the others read it.

    What was imported stays to the end; collections of garbage need not look at it again and again.
    """
    with contextlib.ExitStack() as stack:
        if "PYTEST_XDIST_WORKER" in os.environ:
            base = session.config._tmp_path_factory.getbasetemp().parent
            lock = stack.enter_context((base / "collection.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        gc.disable()
        stack.callback(gc.enable)
        found = yield
        gc.freeze()
        return found


@event.listens_for(Engine, "connect")
def _leave_it_in_memory(connection, _record):
    """Nothing here outlives the machine: SQLite need not wait for the disk after every transaction."""
    if isinstance(connection, sqlite3.Connection):
        with contextlib.suppress(sqlite3.DatabaseError):  # no database at all: for the test to find out
            connection.execute("PRAGMA synchronous=OFF")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks tests by what they cost, and begins with the longest."""
    root = Path(__file__).parent
    ranks = {root / module: rank for rank, module in enumerate(SLOWEST)}
    if absent := [module for module in SLOWEST if not (root / module).is_file()]:
        raise pytest.UsageError(f"among the slowest modules, but not there: {absent}")
    cases = Counter()
    for item in items:
        cases[item.path, item.originalname] += 1
        alike = item.get_closest_marker("alike")
        if LARGE & set(item.fixturenames) or (alike and cases[item.path, item.originalname] > alike.args[0]):
            item.add_marker("whole")
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(autouse=True)
def own_environment(request, tmp_path_factory):
    """No test reads or changes the developer's home, settings or folder."""
    if {"tmp_path", "settings"} & set(request.fixturenames):
        folder = request.getfixturevalue("tmp_path")
    else:  # such a test writes nothing, and needs no folder made and removed
        folder = tmp_path_factory.getbasetemp() / f"not-made-{uuid.uuid4().hex}"
    monkeypatch = request.getfixturevalue("monkeypatch")  # undone before the folder is removed
    for name in list(os.environ):
        if name.startswith((PREFIX, "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(f"{PREFIX}HOME", str(folder / "home"))
    monkeypatch.setenv(f"{PREFIX}LOG_DIR", str(folder / "log"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture(scope="session")
def reader():
    with DocumentReader(workers=2) as opened:
        yield opened


@pytest.fixture(scope="session")
def embedder():
    return make_embedder("gist", {}, device="cpu", batch_size=16)


@pytest.fixture(scope="session")
def describer() -> Describer:
    return Describer(SiftExtractor(), VisualWords())


@pytest.fixture(scope="session")
def cutter() -> PhotoCutter:
    return PhotoCutter(make_extractor("layout", {}))


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory) -> Path:
    """A ledger whose tables are up to date and empty; a copy of it needs no migration."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    Ledger.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def ledger(empty_ledger, tmp_path):
    with Ledger.open(f"sqlite:///{shutil.copy(empty_ledger, tmp_path / 'ledger.sqlite')}") as opened:
        yield opened


@pytest.fixture
def archive(ledger, tmp_path) -> Archive:
    return Archive(ledger, UPath(tmp_path / "bulk"))


@pytest.fixture(scope="session")
def plans() -> list[DocumentPlan]:
    """Eight archive documents and six incoming ones; what is re-used stands in ``INCOMING``."""
    return plan_corpus(8, INCOMING, seed=77)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, plans) -> Path:
    """The planned documents as files, in ``archive/`` and ``incoming/``."""
    return once(tmp_path_factory, "corpus", lambda folder: draw_corpus(folder, plans, workers=2))


@pytest.fixture(scope="session")
def ingested_home(tmp_path_factory, corpus) -> Path:
    """A home into which the command took the corpus' archive documents; for copies of it."""

    def fill(folder: Path) -> None:
        done = Program.at_home(folder)("build-image-index", "--folder", corpus / "archive")
        assert (done.returncode, done.stderr) == (0, "")

    return once(tmp_path_factory, "ingested", fill) / "home"


@pytest.fixture(scope="session")
def filled_root(tmp_path_factory, corpus, reader, cutter, embedder, describer) -> Path:
    """Ledger, bulk data and vectors of the corpus' archive documents without Dagster; for copies of it."""
    from doc_assets_tests.pipeline.pipeline import opened

    def fill(folder: Path) -> None:
        with opened(folder, reader, cutter, embedder, describer) as pipeline:
            pipeline.ingest(corpus / "archive")

    return once(tmp_path_factory, "filled", fill)
