import shutil
from itertools import pairwise

import pytest

from doc_assets.archive.ledger.form_pictures import FormPictureRule, PagePlace, SeenPair, SeenPhoto
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.datatypes import Box
from doc_assets.errors import SetupError
from doc_assets.lab.corpus import IDENTICAL
from doc_assets.pipeline.screening import screen_drop
from doc_assets.pipeline.self_test import PlantedCopies, graph_recall
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.search.matching import Matcher, Verifier
from doc_assets.search.verify.probability import PairModel
from doc_assets.util.threads import Workers
from doc_assets_tests.pipeline.pipeline import opened

REQUEST = SearchRequest(include_batch=False, privacy_mode=False)


@pytest.fixture
def threads():
    with Workers(2) as opened:
        yield opened


@pytest.fixture(scope="module")
def two_drops(filled_root, reader, cutter, embedder, describer, corpus, tmp_path_factory):
    """The archive's documents as one drop, the incoming ones and a broken one as the next."""
    folder = tmp_path_factory.mktemp("screened")
    incoming = shutil.copytree(corpus / "incoming", folder / "incoming")
    (incoming / "broken.tif").write_bytes(b"II*\0")
    root = shutil.copytree(filled_root, folder / "root")
    with opened(root, reader, cutter, embedder, describer) as made:
        (drop,) = made.ingest(incoming)
    return root, drop


@pytest.fixture
def filled(two_drops, reader, cutter, embedder, describer, tmp_path):
    """A pipeline with both drops, in a folder of its own."""
    root, drop = two_drops
    with opened(shutil.copytree(root, tmp_path / "root"), reader, cutter, embedder, describer) as made:
        made.drop = drop
        yield made


def _screen(filled, threads, request=REQUEST, drop=None):
    queries = StoredQueries(filled.archive, filled.versions, filled.embedder, filled.describer, threads)
    verifier = Verifier.of(filled.archive, filled.versions.features_id, PairModel())
    return screen_drop(filled.archive, filled.store, "photos", queries, verifier, request, drop or filled.drop)


def test_a_drop_is_screened_against_the_archive_and_every_document_is_accounted_for(filled, plans, threads):
    report = _screen(filled, threads)

    results = {r.query_document: r for r in filled.archive.ledger.searches.results(search_id_of(filled.drop))}
    incoming = {plan.name: plan for plan in plans if plan.folder == "incoming"}
    assert set(results) == {*incoming, "broken.tif"}
    assert report.documents == len(results) == report.screened_now
    assert (results["broken.tif"].risk_score, results["broken.tif"].flagged) == (None, False)
    for name, plan in incoming.items():
        assert results[name].flagged == (plan.reuse is not None), name
        if plan.reuse is not None:
            best = results[name].top_docs[0]
            assert (best.document, best.relation) == (plan.reuse.source_document, "archive")
            assert best.exact_duplicate == (plan.reuse.attack == IDENTICAL)
    assert report.flagged == sum(plan.reuse is not None for plan in incoming.values())


def test_screening_again_sees_what_has_arrived_since(filled, plans, threads, corpus, tmp_path):
    honest = next(plan.name for plan in plans if plan.folder == "incoming" and plan.reuse is None)
    _screen(filled, threads)
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "late.tif").write_bytes((corpus / "incoming" / honest).read_bytes())
    (late_drop,) = filled.ingest(tmp_path / "late")

    report = _screen(filled, threads)
    _screen(filled, threads, drop=late_drop)

    results = {r.query_document: r for r in filled.archive.ledger.searches.results(report.search_id)}
    assert results[honest].top_docs[0].document == "late.tif"
    assert {finding.kind for finding in results[honest].findings} == {"first_use"}
    assert (results[honest].risk_score, results[honest].flagged) == (0, False)
    late = {r.query_document: r for r in filled.archive.ledger.searches.results(search_id_of(late_drop))}
    assert late["late.tif"].risk_score == 1


def test_documents_of_one_drop_are_compared_with_each_other(filled, plans, threads, corpus, tmp_path):
    honest = next(plan.name for plan in plans if plan.folder == "incoming" and plan.reuse is None)
    folder = tmp_path / "two"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name}.tif").write_bytes((corpus / "incoming" / honest).read_bytes())
    (drop,) = filled.ingest(folder)

    _screen(filled, threads, drop=drop)

    for result in filled.archive.ledger.searches.results(search_id_of(drop)):
        relations = {found.document: found.relation for found in result.top_docs if found.exact_duplicate}
        assert relations == {
            {"a.tif": "b.tif", "b.tif": "a.tif"}[result.query_document]: "same_drop",
            honest: "archive",
        }


def test_a_killed_screening_goes_on_where_it_stopped(filled, threads, monkeypatch):
    calls = []
    whole = Matcher.match

    def dying(self, query, twins, faults):
        calls.append(query.document_id)
        if len(calls) == 5:  # in the second chunk of three documents
            raise KeyboardInterrupt
        return whole(self, query, twins, faults)

    monkeypatch.setattr(Matcher, "match", dying)
    with pytest.raises(KeyboardInterrupt):
        _screen(filled, threads)
    monkeypatch.setattr(Matcher, "match", whole)

    report = _screen(filled, threads)

    assert report.screened_now == report.documents - 3


def test_a_drop_that_is_not_described_is_refused(filled, threads):
    chunk = filled.archive.chunks(filled.drop)[0]
    filled.archive.feature_shard(chunk, filled.versions.features_id).unlink()

    with pytest.raises(SetupError, match="local_features"):
        _screen(filled, threads)


def test_planted_copies_are_found_and_their_absence_is_noticed(filled, threads):
    copies = PlantedCopies(filled.archive, filled.embedder, filled.describer, 90)
    verifier = Verifier.of(filled.archive, filled.versions.features_id, PairModel())
    with filled.store() as store:
        matcher = Matcher(store, filled.collection, verifier, threads, REQUEST)
        recall = copies.recall(matcher, 12, "20261121-0930-0001")
        again = copies.recall(matcher, 12, "20261121-0930-0001")
        for point_id, _ in list(store.scan(filled.collection)):
            store.delete(filled.collection, [point_id])
        nothing = copies.recall(matcher, 12, "20261121-0930-0001")

    assert sum(recall.planted.values()) == 12
    assert recall.total >= 0.9
    assert again == recall
    assert nothing.total == 0
    assert len(nothing.missed) == len(nothing.planted) == 12


def test_pictures_of_the_form_are_not_planted(filled, threads):
    """A copy of what the form prints counts for nobody, and would count as missed."""
    place = PagePlace(0, Box(0, 0, 100, 100))
    shown = [
        SeenPhoto((document.id, number), place, 1.0)
        for document in filled.archive.ledger.documents.current()
        for number in range(document.n_photos or 0)
    ]
    copies = PlantedCopies(filled.archive, filled.embedder, filled.describer, 90)
    verifier = Verifier.of(filled.archive, filled.versions.features_id, PairModel())
    with filled.store() as store:
        matcher = Matcher(store, filled.collection, verifier, threads, REQUEST)
        some = copies.recall(matcher, 3, "seed")
        filled.archive.ledger.form_pictures.add(
            [SeenPair(one, other, "graphics") for one, other in pairwise(shown)], FormPictureRule(3, 0.5)
        )
        none = copies.recall(matcher, 3, "seed")

    assert sum(some.planted.values()) == 3
    assert none.planted == {}
    assert none.total == 1


def test_the_search_graph_is_compared_with_every_photo(filled):
    with filled.store() as store:
        assert graph_recall(filled.archive, filled.versions, store, filled.collection, 8, "seed") == 1
