"""One document breaks while its drop is screened; every other one is compared, and the bad one is named."""

import shutil
from functools import partial

import numpy as np
import pytest

from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.errors import StoreUnavailableError
from doc_assets.features.embedders.gist import GistEmbedder
from doc_assets.lab.pictures import draw_picture
from doc_assets.pipeline.screening import screen_drop
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.search import matching, run
from doc_assets.search.matching import Matcher, Verifier
from doc_assets.search.verify.probability import PairModel
from doc_assets.util.threads import Workers
from doc_assets_tests.broken import draw_folder, is_red, page, red, write
from doc_assets_tests.pipeline.pipeline import opened

pytestmark = pytest.mark.whole

BAD = "DOC00003"
COPY = "DOC00002"
SAID = "broken on purpose"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """An archive of two photos, and a drop of five documents: two of them show one each, the bad one a red one too."""
    folder = tmp_path_factory.mktemp("drawn")
    shared = [draw_picture(700), draw_picture(701)]
    for number, photo in enumerate(shared):
        write(folder / "archive" / f"ARC{number}.tif", page(photo))
    draw_folder(folder / "drop", 5)
    write(folder / "drop" / f"{BAD}.tif", page(shared[0], red(draw_picture(702))))
    write(folder / "drop" / f"{COPY}.tif", page(shared[1]))
    return folder


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, reader, cutter, embedder, describer, drawn):
    """A folder with both taken in, for copies of it; and the drop."""
    root = tmp_path_factory.mktemp("ingested")
    with opened(root, reader, cutter, embedder, describer) as pipeline:
        pipeline.ingest(drawn / "archive")
        (drop,) = pipeline.ingest(drawn / "drop")
    return root, drop


@pytest.fixture
def screened(ingested, reader, cutter, embedder, describer, tmp_path):
    """Screens the drop in a copy; returns its results by document."""
    root, drop = ingested
    with opened(shutil.copytree(root, tmp_path / "root"), reader, cutter, embedder, describer) as pipeline:
        yield partial(_screen, pipeline, drop)


def _screen(pipeline, drop):
    archive, request = pipeline.archive, SearchRequest(include_batch=False, privacy_mode=False)
    verifier = Verifier.of(archive, pipeline.versions.features_id, PairModel())
    with Workers(2) as threads:
        queries = StoredQueries(archive, pipeline.versions, pipeline.embedder, pipeline.describer, threads)
        screen_drop(archive, pipeline.store, "photos", queries, verifier, request, drop)
    return {result.document_id: result for result in archive.ledger.searches.results(search_id_of(drop))}


def _raising(original, is_bad):
    def wrapped(*arguments, **named):
        if is_bad(*arguments):
            raise RuntimeError(SAID)
        return original(*arguments, **named)

    return wrapped


def _break(monkeypatch, stage):
    if stage == "photo":
        original = GistEmbedder.embed_views

        def views(self, photos):
            given = list(photos)
            if any(is_red(photo) for photo in given):
                raise RuntimeError(SAID)
            return original(self, given)

        monkeypatch.setattr(GistEmbedder, "embed_views", views)
    elif stage == "query":
        wrapped = _raising(StoredQueries._query, lambda _self, document, *_: document.document_id == BAD)
        monkeypatch.setattr(StoredQueries, "_query", wrapped)
    elif stage == "match":
        monkeypatch.setattr(Matcher, "match", _raising(Matcher.match, lambda _s, query, *_: query.document_id == BAD))
    elif stage == "result":
        wrapped = _raising(run.found_documents, lambda _ranking, query, *_: query.document_id == BAD)
        monkeypatch.setattr(run, "found_documents", wrapped)
    elif stage == "pair":
        original_align = matching.align

        def align(query, mirrored, archived):
            if np.array_equal(query.thumbnail, archived.thumbnail):
                raise RuntimeError(SAID)
            return original_align(query, mirrored, archived)

        monkeypatch.setattr(matching, "align", align)


STAGES = {"photo": "photo", "query": "result", "match": "result", "result": "result", "pair": "pair"}


@pytest.mark.parametrize("stage", STAGES)
def test_the_others_are_compared_and_the_bad_one_is_named(stage, screened, monkeypatch):
    with monkeypatch.context() as broken:
        _break(broken, stage)
        results = screened()

    assert len(results) == 5
    bad = results.pop(BAD)
    assert {fault.stage for fault in bad.faults} == {STAGES[stage]}
    assert all(SAID in fault.reason for fault in bad.faults)
    if STAGES[stage] == "result":
        assert (bad.risk_score, bad.flagged, bad.top_docs) == (None, False, ())
    if stage == "photo":
        assert (bad.flagged, bad.n_photos, bad.top_docs[0].document) == (True, 1, "ARC0.tif")
    if stage == "pair":  # it breaks for every identical pair, the other copy's too
        assert [fault.document for fault in bad.faults] == ["ARC0.tif"]
        assert [fault.document for fault in results[COPY].faults] == ["ARC1.tif"]
    else:
        assert results[COPY].flagged
        assert results[COPY].top_docs[0].document == "ARC1.tif"
    for name, result in results.items():
        assert result.risk_score is not None
        if name != COPY:
            assert (result.faults, result.flagged) == ((), False)

    again = screened()

    assert all(result.faults == () for result in again.values())
    assert {name for name, result in again.items() if result.flagged} == {BAD, COPY}


def test_tables_that_cannot_be_read_are_named_for_every_document_of_them(screened, monkeypatch):
    monkeypatch.setattr(StoredQueries, "_described", _raising(StoredQueries._described, lambda *_: True))

    results = screened()

    assert len(results) == 5
    assert all(result.risk_score is None and SAID in result.faults[0].reason for result in results.values())


def test_a_store_that_is_away_ends_the_screening(screened, monkeypatch):
    def away(*_arguments):
        raise StoreUnavailableError("away")

    monkeypatch.setattr(Matcher, "match", away)

    with pytest.raises(StoreUnavailableError):
        screened()
