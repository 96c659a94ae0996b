import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from upath import UPath

from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.datatypes import View
from doc_assets.errors import FolderUnreachableError, IndexSchemaError, SettingsError
from doc_assets.lab.corpus import IDENTICAL
from doc_assets.lab.forms import Style, photo_page, write_tif
from doc_assets.lab.pictures import draw_picture
from doc_assets.search.matching import Verifier
from doc_assets.search.query import QueryReader
from doc_assets.search.run import query_files, search_documents
from doc_assets.search.verify.probability import PairModel
from doc_assets.sources.sources import FolderSource
from doc_assets_tests.pipeline.pipeline import opened


@pytest.fixture(scope="module")
def filled(tmp_path_factory, filled_root, reader, cutter, embedder, describer):
    """An archive of the corpus that searches only read."""
    root = shutil.copytree(filled_root, tmp_path_factory.mktemp("filled") / "root")
    with opened(root, reader, cutter, embedder, describer) as made:
        yield made


@pytest.fixture
def queries(reader, cutter, embedder, describer):
    return QueryReader(reader, cutter, embedder, describer)


@pytest.fixture
def search(filled, queries):
    verifier = Verifier.of(filled.archive, queries.describer.features_id, PairModel())

    def run(files, **request):
        found = search_documents(
            filled.archive.ledger,
            filled.store,
            "photos",
            queries,
            verifier,
            files,
            SearchRequest(**request),
            "search-1",
        )
        return {result.query_document: result for result in found}

    return run


def test_every_planted_reuse_comes_first_and_honest_documents_match_nothing(search, corpus, plans):
    results = search(query_files([FolderSource(UPath(corpus / "incoming"), recursive=False)], []))

    for plan in plans:
        if plan.folder != "incoming":
            continue
        best = results[plan.name].top_docs[0]
        if plan.reuse is None:
            assert best.n_matched_photos == 0
        else:
            assert best.document == plan.reuse.source_document
            assert best.exact_duplicate == (plan.reuse.attack == IDENTICAL)


def test_evidence_says_which_photo_where_and_how_it_was_turned(search, corpus, plans):
    (plan,) = [plan for plan in plans if plan.reuse and plan.reuse.attack == "mirrored"]
    source = next(p for p in plans if p.name == plan.reuse.source_document)

    results = search(query_files([], [corpus / "incoming" / plan.name]))

    pair = results[plan.name].top_docs[0].matches[0]
    assert pair.query_photo == plan.reused_photo
    assert pair.photo == plan.reuse.source_photo
    assert pair.query_page == 1 + plan.form_page
    assert pair.page == 1 + source.form_page
    assert pair.similarity > 0.7
    assert View(pair.quarter_turns, pair.mirrored).mirrored or pair.quarter_turns % 2 == 1
    truth = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))["photos"]
    assert np.abs(np.array(pair.query_box) - truth[plan.name][plan.reused_photo]["box"]).max() < 12


def test_a_document_never_finds_itself(search, corpus):
    results = search(query_files([FolderSource(UPath(corpus / "archive"), recursive=False)], []), top_doc=50)

    for name, result in results.items():
        assert name not in {found.document for found in result.top_docs}


def test_documents_of_one_batch_are_compared_and_nothing_of_it_is_kept(search, filled, corpus, plans, tmp_path):
    batch = tmp_path / "batch"
    batch.mkdir()
    honest = next(plan.name for plan in plans if plan.folder == "incoming" and plan.reuse is None)
    shutil.copy(corpus / "incoming" / honest, batch / "one.tif")
    shutil.copy(corpus / "incoming" / honest, batch / "two.tif")
    points = filled.points()

    together = search(query_files([FolderSource(UPath(batch), recursive=False)], []))
    alone = search(query_files([FolderSource(UPath(batch), recursive=False)], []), include_batch=False)

    best = together["one.tif"].top_docs[0]
    assert (best.document, best.exact_duplicate, best.same_batch) == ("two.tif", True, True)
    assert all(not found.same_batch for found in alone["one.tif"].top_docs)
    assert filled.points() == points
    assert not any(d.file_name == "one.tif" for d in filled.archive.ledger.documents.current())


def test_an_unreadable_query_is_a_result_with_its_reason(search, tmp_path):
    (tmp_path / "bad.tif").write_bytes(b"%PDF-1.7 not a scan")

    result = search(query_files([FolderSource(UPath(tmp_path), recursive=False)], []))["bad.tif"]

    assert (result.state, result.top_docs) == ("rejected", ())
    assert "The PDF has no end mark" in result.error


def test_top_k_and_top_doc_limit_what_is_looked_at_and_reported(search, corpus):
    files = query_files([FolderSource(UPath(corpus / "incoming"), recursive=False)], [])

    results = search(files, top_k=1, top_doc=2, include_batch=False)

    for result in results.values():
        assert len(result.top_docs) <= 2
        photos = [pair.query_photo for found in result.top_docs for pair in found.matches]
        assert len(photos) == len(set(photos))
    with pytest.raises(SettingsError, match="top_k"):
        SearchRequest(top_k=0)


def test_a_private_search_hands_no_pixel_out(filled, queries, corpus):
    files = query_files([FolderSource(UPath(corpus / "incoming"), recursive=False)], [])

    with pytest.raises(SettingsError, match="privacy_mode"):
        search_documents(
            filled.archive.ledger,
            filled.store,
            "photos",
            queries,
            Verifier(dict, dict, PairModel()),
            files,
            SearchRequest(),
            "s",
            lambda *_: None,
        )


def test_an_empty_archive_and_a_foreign_embedder_are_refused(filled, archive, queries, corpus, tmp_path):
    from doc_assets.archive.vectors.embedded import EmbeddedStore
    from doc_assets.features.embedders.base import make_embedder
    from doc_assets_tests.features.embedders.tiny_encoders import save_vit

    files = query_files([FolderSource(UPath(corpus / "incoming"), recursive=False)], [])
    with pytest.raises(IndexSchemaError, match="archive is empty"):
        search_documents(
            archive.ledger,
            lambda: EmbeddedStore(tmp_path / "q"),
            "photos",
            queries,
            Verifier(dict, dict, PairModel()),
            files,
            SearchRequest(),
            "s",
        )

    options = {"checkpoint": str(save_vit(tmp_path / "vit"))}
    foreign = replace(queries, embedder=make_embedder("transformers", options, device="cpu", batch_size=2))
    with pytest.raises(IndexSchemaError, match="cannot be compared"):
        search_documents(
            filled.archive.ledger,
            filled.store,
            "photos",
            foreign,
            Verifier(dict, dict, PairModel()),
            files,
            SearchRequest(),
            "s",
        )


def test_every_planted_pair_is_verified_and_no_other_one(search, corpus, plans):
    results = search(query_files([FolderSource(UPath(corpus / "incoming"), recursive=False)], []), include_batch=False)

    reused = {plan.name: plan for plan in plans if plan.reuse and plan.reuse.attack != IDENTICAL}
    assert reused
    for name, plan in reused.items():
        for found in results[name].top_docs:
            for pair in found.matches:
                is_true = found.document == plan.reuse.source_document and pair.photo == plan.reuse.source_photo
                assert (pair.probability >= 0.5) == (is_true and pair.query_photo == plan.reused_photo)
                if is_true and pair.query_photo == plan.reused_photo:
                    assert pair.inliers >= 15
                    assert pair.overlap.query_share > 0.8


def test_without_words_and_verification_only_vectors_speak(search, corpus, plans):
    files = query_files([FolderSource(UPath(corpus / "incoming"), recursive=False)], [])

    results = search(files, use_words=False, verify=False)

    pairs = [pair for result in results.values() for found in result.top_docs for pair in found.matches]
    assert {(pair.probability, pair.inliers) for pair in pairs} == {(None, None)}


def test_words_find_what_was_cut_to_a_quarter_and_vectors_do_not(search, filled, corpus, plans, tmp_path):
    """Half of each side of an archive photo, on a page of its own."""
    plan = next(plan for plan in plans if plan.folder == "archive" and plan.style is Style.CLASSIC)
    picture = draw_picture(plan.pictures[0])
    height, width = picture.shape[:2]
    part = picture[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]
    page = photo_page([part, draw_picture(99)], Style.CLASSIC, 1, np.random.default_rng(0))
    write_tif(tmp_path / "cut.tif", [page.pixels], Style.CLASSIC)
    files = query_files([FolderSource(UPath(tmp_path), recursive=False)], [])

    by_both = search(files)["cut.tif"].top_docs[0]
    by_vector = search(files, use_words=False, verify=False)["cut.tif"].top_docs

    assert (by_both.document, by_both.n_matched_photos) == (plan.name, 1)
    overlap = by_both.matches[0].overlap
    assert overlap.query_share > 0.95
    assert overlap.share == pytest.approx(0.25, abs=0.03)
    assert not any(found.document == plan.name and found.n_matched_photos for found in by_vector)


def test_query_files_have_labels_of_their_own(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.tif").touch()

    files = query_files([FolderSource(UPath(tmp_path))], [tmp_path / "a" / "x.tif"])

    assert [file.label for file in files] == ["a/x.tif", "b/x.tif", "x.tif"]
    with pytest.raises(SettingsError, match="There is no document in folder"):
        query_files([FolderSource(UPath(tmp_path), recursive=False)], [])
    with pytest.raises(FolderUnreachableError):
        query_files([FolderSource(UPath(tmp_path / "none"), recursive=False)], [])


def test_a_search_keeps_what_judged_its_pairs(search, corpus, filled):
    search(query_files([], [next((corpus / "incoming").glob("*.tif"))]))

    assert filled.archive.ledger.searches.get("search-1").settings.pair_model == PairModel().model_id
