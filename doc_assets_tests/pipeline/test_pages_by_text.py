"""Photos are cut on pages that carry a text."""

import shutil

import pyarrow.parquet as pq
import pytest
from upath import UPath

from doc_assets.datatypes import PageText
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.pipeline.cutting import cut_drop
from doc_assets.pipeline.reading import read_drop
from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.search.query import QueryReader
from doc_assets.sources.sources import FolderSource, single_file
from doc_assets_tests.conftest import NOW
from doc_assets_tests.page_finding import page_finder

FORM = "가맹점 실사 보고서"


@pytest.fixture
def drop(archive, reader, corpus, plans, tmp_path):
    """A drop of the corpus' archive documents, read."""
    shutil.copytree(corpus / "archive", tmp_path / "in")
    (key,) = seal_source(archive, FolderSource(UPath(tmp_path / "in")), NOW, SealingRules(chunk_documents=3)).sealed
    read_drop(archive, reader, key, NOW)
    return key


def cutter_of(**changed):
    return PhotoCutter(make_extractor("layout", {}), pages=page_finder(**changed))


def texts_in_parquet(archive, drop, cutter):
    rows = []
    for chunk in archive.chunks(drop):
        path = archive.page_text_shard(chunk, cutter.pages.reader.engine_id)
        rows += pq.read_table(str(path)).to_pylist()
    return rows


def test_titled_pages_give_their_photos_and_form_pages_none(archive, reader, drop, plans):
    expected = sum(len(plan.pictures) for plan in plans if plan.folder == "archive")

    found = cut_drop(archive, reader, cutter_of(), drop, NOW)
    on_forms = cut_drop(archive, reader, cutter_of(wanted=FORM), drop, NOW)

    assert (found.photos, found.pages_unread) == (expected, 0)
    assert (on_forms.photos, on_forms.documents) == (0, found.documents)


def test_text_is_in_the_ledger_and_in_parquet(archive, reader, drop, plans):
    cutter = cutter_of()

    cut_drop(archive, reader, cutter, drop, NOW)

    engine = cutter.pages.reader.engine_id
    rows = texts_in_parquet(archive, drop, cutter)
    pages = sum(1 + plan.form_page for plan in plans if plan.folder == "archive")
    assert len(rows) == pages
    assert sum("사진" in row["text"] for row in rows) == sum(plan.folder == "archive" for plan in plans)
    for row in rows:
        text = PageText(
            row["page_index"], row["zone"], row["text"], pytest.approx(row["confidence"]), row["quarter_turns"]
        )
        assert text in archive.ledger.page_texts.known(row["sha256"], engine)


def test_other_words_make_the_photos_stale_but_nothing_is_read_again(archive, reader, drop, monkeypatch):
    first, other = cutter_of(), cutter_of(wanted=FORM)
    cut_drop(archive, reader, first, drop, NOW)
    monkeypatch.setattr(type(other.pages.reader), "read", None)

    assert cut_drop(archive, reader, first, drop, NOW).chunks_made == 0
    assert cut_drop(archive, reader, other, drop, NOW).chunks_made == len(archive.chunks(drop))


def test_without_a_selector_the_version_is_what_it_was(cutter):
    assert cutter.version == "layout-3/0.1/0.03/14/0.05|1024|90"
    assert len({cutter.version, cutter_of().version, cutter_of(wanted=FORM).version}) == 3


def test_a_query_shows_the_photos_of_the_same_pages_and_leaves_no_text(
    archive, reader, embedder, describer, corpus, plans
):
    plan = next(plan for plan in plans if plan.folder == "archive")
    path = corpus / "archive" / plan.name

    def n_photos(pages):
        cutter = PhotoCutter(make_extractor("layout", {}), pages=pages)
        queries = QueryReader(reader, cutter, embedder, describer, archive.ledger.page_texts)
        document = queries.read(single_file(path))
        if pages is not None:
            assert archive.ledger.page_texts.known(document.sha256, pages.reader.engine_id) == []
        return len(document.photos)

    assert n_photos(None) == n_photos(page_finder()) == len(plan.pictures)
    assert n_photos(page_finder(wanted=FORM)) == 0
