"""Ingestions at once whose files share names: afterwards every current document is searchable, with no further run."""

import multiprocessing
import shutil
from collections import Counter

import pytest
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.consistency import check_archive
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.features.embedders.base import make_embedder
from doc_assets.features.sift import SiftExtractor
from doc_assets.features.words import Describer, VisualWords
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.pipeline import indexing
from doc_assets.reading.sandbox import DocumentReader
from doc_assets_tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.slow

SPAWN = multiprocessing.get_context("spawn")


def _pipeline(root, ledger, reader):
    return Pipeline(
        Archive(ledger, UPath(root / "bulk")),
        reader,
        PhotoCutter(make_extractor("layout", {})),
        make_embedder("gist", {}, device="cpu", batch_size=16),
        Describer(SiftExtractor(), VisualWords()),
        root / "qdrant",
    )


def _ingest(root, folder, barrier, errors):
    try:
        with Ledger.open(f"sqlite:///{root / 'ledger.sqlite'}") as ledger, DocumentReader(workers=1) as reader:
            pipeline = _pipeline(root, ledger, reader)
            barrier.wait(120)
            pipeline.ingest(folder)
    except BaseException as error:
        errors.put(f"{folder.name}: {type(error).__name__}: {error}")
        raise


def _folders(tmp_path, corpus):
    """Two folders that share four names with other contents, and have two names each of their own."""
    files = sorted((corpus / "archive").iterdir()) + sorted((corpus / "incoming").iterdir())
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, offset in ((first, 0), (second, 6)):
        folder.mkdir()
        for number in range(6):
            own = number if number < 4 else number + offset
            shutil.copy(files[number + offset], folder / f"document-{own}.tif")
    return first, second


def _disagreements(pipeline):
    with pipeline.store() as store:
        return check_archive(pipeline.archive, store, "photos", pipeline.versions).faults


@pytest.mark.parametrize("round_", range(2))
def test_two_processes_at_once_leave_no_current_document_unsearchable(tmp_path, corpus, reader, round_):
    folders = _folders(tmp_path, corpus)
    Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}").close()
    barrier, errors = SPAWN.Barrier(2), SPAWN.Queue()
    started = [SPAWN.Process(target=_ingest, args=(tmp_path, folder, barrier, errors)) for folder in folders]
    for process in started:
        process.start()
    for process in started:
        process.join(300)

    assert [process.exitcode for process in started] == [0, 0], errors.get(timeout=1)
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger:
        pipeline = _pipeline(tmp_path, ledger, reader)
        assert ledger.documents.counts().current == 8
        assert _disagreements(pipeline) == []


STEPS = ["read_drop", "cut_drop", "embed_drop", "describe_drop", "index_drop"]


@pytest.mark.parametrize("overtaken_before", [*STEPS, "publish_collection"])
def test_whatever_step_a_later_drop_overtakes_an_earlier_one_at(
    tmp_path, corpus, archive, reader, cutter, embedder, describer, monkeypatch, overtaken_before
):
    """The later drop is read, or ingested whole, while the earlier one stands before a step."""
    from doc_assets_tests.pipeline import pipeline as module

    first, second = _folders(tmp_path, corpus)
    pipeline = Pipeline(archive, reader, cutter, embedder, describer, tmp_path / "qdrant")
    whole = getattr(module, overtaken_before)

    def overtaken(*arguments):
        monkeypatch.setattr(module, overtaken_before, whole)
        if overtaken_before in {"index_drop", "publish_collection"}:  # the store is held
            source = module.FolderSource(UPath(second))
            (drop,) = module.seal_source(archive, source, module.NOW, module.SealingRules(100, 3)).sealed
            module.read_drop(archive, reader, drop, module.NOW)
            later.append(drop)
        else:
            pipeline.ingest(second)
        return whole(*arguments)

    later = []
    monkeypatch.setattr(module, overtaken_before, overtaken)
    pipeline.ingest(first)
    for drop in later:
        pipeline.run(drop)

    assert archive.ledger.documents.counts().current == 8
    assert _disagreements(pipeline) == []


def test_points_that_an_older_version_overwrote_are_written_again(
    tmp_path, corpus, archive, reader, cutter, embedder, describer
):
    """On a server two runs write at once: the older drop's points come last."""
    first, second = _folders(tmp_path, corpus)
    pipeline = Pipeline(archive, reader, cutter, embedder, describer, tmp_path / "qdrant")
    (older,) = pipeline.ingest(first)
    with pipeline.store() as store:
        old = list(store.points(pipeline.collection))
    pipeline.ingest(second)
    shared = {f"document-{number}" for number in range(4)}
    with pipeline.store() as store:
        late = [point for point in old if point.payload.document_id in shared]
        store.replace_documents(pipeline.collection, sorted(shared), late)
    assert _disagreements(pipeline)

    with pipeline.store() as store:
        for chunk in archive.chunks(older):
            indexing._mend_overtaken(archive, store, pipeline.versions, chunk)

    assert _disagreements(pipeline) == []
    with pipeline.store() as store:
        held = Counter(payload.sha256 for _, payload in store.scan(pipeline.collection, ["document-0"]))
    assert set(held) == {archive.ledger.documents.current_with_ids(["document-0"])["document-0"].sha256}
