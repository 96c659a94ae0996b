"""Photos found across formats: an archive of TIFs, PDFs and pictures, asked with bare photos, PDFs and pictures."""

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.datatypes import Page
from doc_assets.lab.attacks import attack
from doc_assets.lab.corpus import draw_document, plan_corpus
from doc_assets.lab.pictures import draw_picture
from doc_assets.search.matching import Verifier
from doc_assets.search.query import QueryReader
from doc_assets.search.run import query_files, search_documents
from doc_assets.search.verify.probability import PairModel
from doc_assets.sources.sources import FolderSource
from doc_assets_tests.pipeline.pipeline import Pipeline
from doc_assets_tests.reading.pictures import encoded, pdf

pytestmark = pytest.mark.whole

ATTACKS = ["recompressed", "mirrored", "turned by 90°", "printed and scanned", "cropped", "from a screen"]


def _pdf(pages):
    return pdf(*[encoded(page, "JPEG", quality=85) for page in pages])


def _tif(pages):
    images = [Image.fromarray(page) for page in pages]
    return encoded(images[0], "TIFF", save_all=True, append_images=images[1:])


WRITERS = {
    "0.tif": _tif,
    "1.pdf": _pdf,
    "2.jpg": lambda pages: encoded(pages[0], "JPEG", quality=80),
    "3.png": lambda pages: encoded(pages[0], "PNG"),
    "4.webp": lambda pages: encoded(pages[0], "WEBP", quality=80),
    "5.jpg": _pdf,  # named like another format
}


@pytest.fixture(scope="module")
def world(tmp_path_factory, reader, cutter, embedder, describer):
    """The archive, what it was told of its photos, and a folder for queries."""
    root = tmp_path_factory.mktemp("formats")
    (root / "in").mkdir()
    truth = {}
    for (name, write), plan in zip(WRITERS.items(), plan_corpus(len(WRITERS), [], seed=31), strict=True):
        pages, photos = draw_document(plan, None)
        if write not in {_tif, _pdf}:  # one page is all that a picture holds
            shown = photos[0].page_index
            pages = [pages[shown]]
        (root / "in" / name).write_bytes(write(pages))
        scan = cutter.of_document("0" * 64)  # what a scan of the same pages gives
        truth[name] = sum(len(scan.photos(Page(index, page))) for index, page in enumerate(pages))
    bare = draw_picture(900)
    (root / "in" / "bare.jpg").write_bytes(encoded(bare, "JPEG", quality=80))
    truth["bare.jpg"] = 1
    with Ledger.open(f"sqlite:///{root / 'ledger.sqlite'}") as ledger:
        made = Pipeline(Archive(ledger, UPath(root)), reader, cutter, embedder, describer, root / "qdrant")
        made.ingest(root / "in")
        yield made, truth, root, bare


@pytest.fixture
def search(world, reader, cutter, embedder, describer):
    made = world[0]
    queries = QueryReader(reader, cutter, embedder, describer)
    verifier = Verifier.of(made.archive, describer.features_id, PairModel())

    def run(folder):
        files = query_files([FolderSource(UPath(folder))], [])
        asked = (made.archive.ledger, made.store, "photos", queries, verifier)
        return {result.query_document: result for result in search_documents(*asked, files, SearchRequest(), "s")}

    return run


def test_documents_of_every_format_give_their_photos(world):
    made, truth, _, _ = world

    found = {document.file_name: document.n_photos for document in made.archive.ledger.documents.current()}

    assert found == truth


def test_a_bare_photo_finds_the_document_that_shows_it_whatever_was_done_to_it(world, search, reader, cutter):
    _, _, root, bare = world
    (root / "bare").mkdir()
    wanted = {}
    for place, name in enumerate(WRITERS):
        crops = []
        pages = cutter.of_document("0" * 64)
        reader.read((root / "in" / name).read_bytes(), lambda page, into=crops, by=pages: into.extend(by.photos(page)))
        asked = f"q{place}.{('jpg', 'png', 'webp')[place % 3]}"
        copy = attack(ATTACKS[place % len(ATTACKS)], crops[0].pixels, seed=place)
        form = ("JPEG", "PNG", "WEBP")[place % 3]
        (root / "bare" / asked).write_bytes(encoded(copy, form))
        wanted[asked] = name
    (root / "bare" / "of_bare.bmp").write_bytes(encoded(attack("mirrored", bare, seed=1), "BMP"))
    (root / "bare" / "stranger.jpg").write_bytes(encoded(draw_picture(901), "JPEG"))
    wanted["of_bare.bmp"] = "bare.jpg"

    results = search(root / "bare")

    assert {asked: results[asked].top_docs[0].document for asked in wanted} == wanted
    assert all(results[asked].top_docs[0].n_matched_photos == 1 for asked in wanted)
    assert results["stranger.jpg"].risk_score < 0.5
    assert [found.n_matched_photos for found in results["stranger.jpg"].top_docs[:1]] in ([], [0])


def test_a_document_in_another_format_finds_itself_under_another_name(world, search):
    _, _, root, _ = world
    (root / "again").mkdir()
    for name, form in (("0.tif", "pdf"), ("3.png", "jpg")):
        pages = []
        with Image.open(root / "in" / name) as image:
            for frame in range(getattr(image, "n_frames", 1)):
                image.seek(frame)
                pages.append(np.asarray(image.convert("RGB")))
        content = _pdf(pages) if form == "pdf" else encoded(pages[0], "JPEG", quality=70)
        (root / "again" / f"copy_of_{name[0]}.{form}").write_bytes(content)

    results = search(root / "again")

    assert {asked: found.top_docs[0].document for asked, found in results.items()} == {
        "copy_of_0.pdf": "0.tif", "copy_of_3.jpg": "3.png",
    }  # fmt: skip
