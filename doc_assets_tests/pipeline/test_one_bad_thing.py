"""One document breaks in a stage of ingestion; every other one comes out, and the next run takes it again."""

import shutil

import numpy as np
import pytest

from doc_assets.archive.consistency import check_archive
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.errors import ServiceError
from doc_assets.features.embedders.gist import GistEmbedder
from doc_assets.features.sift import SiftExtractor
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.cutting import DocumentCutter, PhotoCutter
from doc_assets.pipeline import cutting, reading
from doc_assets.reading.sandbox import DocumentReader
from doc_assets_tests.broken import draw_folder, is_marked, is_red, page, red, write
from doc_assets_tests.pipeline.pipeline import Pipeline

pytestmark = pytest.mark.whole

BAD = "DOC00003"
SAID = "broken on purpose"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Five documents; the third has a marked page and a red photo on its other page."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_folder(folder, 5)
    good, other, last = draw_picture(900), draw_picture(901), draw_picture(902)
    write(folder / f"{BAD}.tif", page(other, red(good)), page(last, marked=True))
    return folder


@pytest.fixture
def pipeline(archive, reader, cutter, embedder, describer, tmp_path):
    return Pipeline(archive, reader, cutter, embedder, describer, tmp_path / "qdrant")


def _raising(original, is_bad, error=RuntimeError):
    def wrapped(*arguments, **named):
        if is_bad(*arguments):
            raise error(SAID)
        return original(*arguments, **named)

    return wrapped


def _embed(original, *, finite):
    def embed(self, photos):
        given = list(photos)
        vectors = original(self, given)
        for at, photo in enumerate(given):
            if is_red(photo):
                if finite:
                    raise RuntimeError(SAID)
                vectors[at, 3] = np.nan
        return vectors

    return embed


def _break(monkeypatch, stage):
    if stage == "reading":
        wrapped = _raising(reading._content, lambda _archive, _reader, document: document.document_id == BAD)
        monkeypatch.setattr(reading, "_content", wrapped)
    elif stage == "document of photos":
        cutter = cutting._ChunkCutter
        wrapped = _raising(cutter._cut_pages, lambda _self, document: document.document_id == BAD)
        monkeypatch.setattr(cutter, "_cut_pages", wrapped)
    elif stage == "page":
        wrapped = _raising(DocumentCutter.photos, lambda _self, found: is_marked(found))
        monkeypatch.setattr(DocumentCutter, "photos", wrapped)
    elif stage == "photo":
        monkeypatch.setattr(PhotoCutter, "encoded", _raising(PhotoCutter.encoded, lambda _self, photo: is_red(photo)))
    elif stage == "embedding":
        monkeypatch.setattr(GistEmbedder, "embed", _embed(GistEmbedder.embed, finite=True))
    elif stage == "vector":
        monkeypatch.setattr(GistEmbedder, "embed", _embed(GistEmbedder.embed, finite=False))
    elif stage == "description":
        wrapped = _raising(SiftExtractor.extract, lambda _self, photo: is_red(photo))
        monkeypatch.setattr(SiftExtractor, "extract", wrapped)
    elif stage == "index":
        wrapped = _raising(EmbeddedStore.replace_documents, lambda _self, _collection, ids, _points: BAD in ids)
        monkeypatch.setattr(EmbeddedStore, "replace_documents", wrapped)


STAGES = {  # stage -> state, code, photos that are indexed, what the reason names
    "reading": ("rejected", 0, ""),
    "document of photos": ("partial", 0, "Its photos could not be cut"),
    "page": ("partial", 2, "page 2"),
    "photo": ("partial", 2, "page 1, photo 2"),
    "embedding": ("partial", 2, "page 1, photo 2: It could not be embedded"),
    "vector": ("partial", 2, "page 1, photo 2: It could not be embedded"),
    "description": ("partial", 2, "page 1, photo 2: It could not be described"),
    "index": ("partial", 0, "It could not be indexed"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_the_others_come_out_the_bad_one_is_named_and_is_taken_again(stage, pipeline, drawn, tmp_path, monkeypatch):
    state, n_points, named = STAGES[stage]
    folder = shutil.copytree(drawn, tmp_path / "in")
    with monkeypatch.context() as broken:
        _break(broken, stage)
        (drop,) = pipeline.ingest(folder)

    documents = {d.document_id: d for d in pipeline.archive.ledger.documents.of_chunk(drop, range(9))}
    bad = documents.pop(BAD)
    points = [payload.document_id for payload in pipeline.points().values()]
    assert (bad.state, bad.reason_code) == (state, "E_FAILED")
    assert named in bad.reason
    assert SAID in bad.reason or stage == "vector"
    assert points.count(BAD) == n_points
    assert len(documents) == 4
    for name, document in documents.items():
        assert (document.state, document.reason, document.n_photos) == ("ok", None, 2)
        assert points.count(name) == 2
    if stage not in {"reading", "document of photos", "index"}:  # these are disagreements until the next run
        with pipeline.store() as store:
            assert check_archive(pipeline.archive, store, "photos", pipeline.versions).faults == []

    pipeline.run(drop)

    (again,) = pipeline.archive.ledger.documents.current_with_ids([BAD]).values()
    assert (again.state, again.reason_code, again.reason, again.n_photos) == ("ok", None, None, 3)
    assert [payload.document_id for payload in pipeline.points().values()].count(BAD) == 3
    with pipeline.store() as store:
        assert check_archive(pipeline.archive, store, "photos", pipeline.versions).faults == []


def test_what_the_machine_lacks_is_nobodys_fault(pipeline, drawn, tmp_path, monkeypatch):
    def away(*_arguments):
        raise ServiceError("No decoder process could be started")

    monkeypatch.setattr(DocumentReader, "read", away)

    with pytest.raises(ServiceError):
        pipeline.ingest(shutil.copytree(drawn, tmp_path / "in"))

    assert pipeline.archive.ledger.documents.counts().arrivals_by_state == {"pending": 5}
