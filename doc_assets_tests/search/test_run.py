import json
import shutil

import numpy as np
import pytest

from doc_assets.datatypes import View
from doc_assets.errors import FolderUnreachableError, IndexSchemaError, SettingsError
from doc_assets.search.query import QueryReader
from doc_assets.search.run import SearchRequest, query_files, search_documents
from doc_assets.synthesis.corpus import IDENTICAL
from doc_assets_tests.ingest.pipeline import Pipeline


@pytest.fixture(scope="module")
def filled(tmp_path_factory, reader, cutter, embedder, corpus):
    """An archive of the corpus that searches only read."""
    from upath import UPath

    from doc_assets.ingest.archive import Archive
    from doc_assets.ledger.ledger import Ledger

    root = tmp_path_factory.mktemp("filled")
    with Ledger.open(f"sqlite:///{root / 'ledger.sqlite'}") as ledger:
        made = Pipeline(Archive(ledger, UPath(root)), reader, cutter, embedder, root / "qdrant")
        made.ingest(corpus / "archive")
        yield made


@pytest.fixture
def search(filled, reader, cutter, embedder):
    def run(files, **request):
        queries = QueryReader(reader, cutter.extractor, embedder, cutter.max_side_px, cutter.jpeg_quality)
        found = search_documents(
            filled.archive.ledger, filled.store, "photos", queries, files, SearchRequest(**request), "search-1"
        )
        return {result.query_document: result for result in found}

    return run


def test_every_planted_reuse_comes_first_and_honest_documents_match_nothing(search, corpus, plans):
    results = search(query_files(corpus / "incoming", [], recursive=False))

    for plan in plans:
        if plan.folder != "incoming":
            continue
        best = results[plan.name].top_docs[0]
        if plan.reuse is None:
            assert best["n_matched_photos"] == 0
        else:
            assert best["document"] == plan.reuse.source_document
            assert best["exact_duplicate"] == (plan.reuse.attack == IDENTICAL)


def test_evidence_says_which_photo_where_and_how_it_was_turned(search, corpus, plans):
    (plan,) = [plan for plan in plans if plan.reuse and plan.reuse.attack == "mirrored"]
    source = next(p for p in plans if p.name == plan.reuse.source_document)

    results = search(query_files(None, [corpus / "incoming" / plan.name], recursive=False))

    pair = results[plan.name].top_docs[0]["matches"][0]
    assert pair["query_photo"] == plan.reused_photo
    assert pair["photo"] == plan.reuse.source_photo
    assert pair["query_page"] == 1 + plan.form_page
    assert pair["page"] == 1 + source.form_page
    assert pair["similarity"] > 0.7
    assert View(pair["quarter_turns"], pair["mirrored"]).mirrored or pair["quarter_turns"] % 2 == 1
    truth = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))["photos"]
    assert np.abs(np.array(pair["query_box"]) - truth[plan.name][plan.reused_photo]["box"]).max() < 12


def test_a_document_never_finds_itself(search, corpus):
    results = search(query_files(corpus / "archive", [], recursive=False), top_doc=50)

    for name, result in results.items():
        assert name not in {found["document"] for found in result.top_docs}


def test_documents_of_one_batch_are_compared_and_nothing_of_it_is_kept(search, filled, corpus, plans, tmp_path):
    batch = tmp_path / "batch"
    batch.mkdir()
    honest = next(plan.name for plan in plans if plan.folder == "incoming" and plan.reuse is None)
    shutil.copy(corpus / "incoming" / honest, batch / "one.tif")
    shutil.copy(corpus / "incoming" / honest, batch / "two.tif")
    points = filled.points()

    together = search(query_files(batch, [], recursive=False))
    alone = search(query_files(batch, [], recursive=False), include_batch=False)

    best = together["one.tif"].top_docs[0]
    assert (best["document"], best["exact_duplicate"], best["same_batch"]) == ("two.tif", True, True)
    assert all(not found["same_batch"] for found in alone["one.tif"].top_docs)
    assert filled.points() == points
    assert not any(d.file_name == "one.tif" for d in filled.archive.ledger.documents.current())


def test_an_unreadable_query_is_a_result_with_its_reason(search, tmp_path):
    (tmp_path / "bad.tif").write_bytes(b"%PDF-1.7 not a scan")

    result = search(query_files(tmp_path, [], recursive=False))["bad.tif"]

    assert (result.state, result.top_docs) == ("rejected", [])
    assert "a PDF" in result.error


def test_top_k_and_top_doc_limit_what_is_looked_at_and_reported(search, corpus):
    files = query_files(corpus / "incoming", [], recursive=False)

    results = search(files, top_k=1, top_doc=2, include_batch=False)

    for result in results.values():
        assert len(result.top_docs) <= 2
        photos = [pair["query_photo"] for found in result.top_docs for pair in found["matches"]]
        assert len(photos) == len(set(photos))
    with pytest.raises(SettingsError, match="top_k"):
        SearchRequest(top_k=0)


def test_a_private_search_hands_no_pixel_out(filled, reader, cutter, embedder, corpus):
    queries = QueryReader(reader, cutter.extractor, embedder, cutter.max_side_px, cutter.jpeg_quality)
    files = query_files(corpus / "incoming", [], recursive=False)

    with pytest.raises(SettingsError, match="privacy_mode"):
        search_documents(
            filled.archive.ledger, filled.store, "photos", queries, files, SearchRequest(), "s", lambda *_: None
        )


def test_an_empty_archive_and_a_foreign_embedder_are_refused(
    filled, archive, reader, cutter, embedder, corpus, tmp_path
):
    from doc_assets.embedding.base import make_embedder
    from doc_assets.index.embedded import EmbeddedStore
    from doc_assets_tests.embedding.tiny_encoders import save_vit

    files = query_files(corpus / "incoming", [], recursive=False)
    queries = QueryReader(reader, cutter.extractor, embedder, 1024, 90)
    with pytest.raises(IndexSchemaError, match="archive is empty"):
        search_documents(
            archive.ledger, lambda: EmbeddedStore(tmp_path / "q"), "photos", queries, files, SearchRequest(), "s"
        )

    options = {"checkpoint": str(save_vit(tmp_path / "vit"))}
    other = make_embedder("transformers", options, device="cpu", batch_size=2)
    foreign = QueryReader(reader, cutter.extractor, other, 1024, 90)
    with pytest.raises(IndexSchemaError, match="cannot be compared"):
        search_documents(filled.archive.ledger, filled.store, "photos", foreign, files, SearchRequest(), "s")


def test_query_files_have_labels_of_their_own(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.tif").touch()

    files = query_files(tmp_path, [tmp_path / "a" / "x.tif"], recursive=True)

    assert [file.label for file in files] == ["a/x.tif", "b/x.tif", "x.tif"]
    with pytest.raises(SettingsError, match=r"no \.tif"):
        query_files(tmp_path, [], recursive=False)
    with pytest.raises(FolderUnreachableError):
        query_files(tmp_path / "none", [], recursive=False)
