"""A small home with cases to judge: documents that were really read and cut, and results made by hand."""

import os
import shutil
from datetime import timedelta

import numpy as np
from PIL import Image

from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord, search_id_of
from doc_assets.archive.ledger.verdicts import SecondReview
from doc_assets.pipeline.cutting import cut_drop
from doc_assets.pipeline.reading import read_drop
from doc_assets.pipeline.review_report import make_review_report
from doc_assets.pipeline.reviewing import Weights, file_cases
from doc_assets.runtime import Runtime
from doc_assets.search.labels import stored_links
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_finding, a_found, a_pair, a_result

N_CASES = 8
ALONE = SecondReview(fraud=False)
REPORTED = f"{NOW + timedelta(days=1):%Y-%m-%d}"
"""The day of which there is a report: the one on which the eight documents came."""
NEVER = "nobody-said-this"
TURN = np.radians(6)
TRANSFORMS = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.8, 0.0, 0.1), (0.0, 0.8, 0.15), (0.0, 0.0, 1.0)),
    ((np.cos(TURN), -np.sin(TURN), 0.02), (np.sin(TURN), np.cos(TURN), -0.03), (0.0, 0.0, 1.0)),
    ((0.0, -1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.9, 0.05, 0.02), (-0.04, 0.95, 0.03), (0.12, -0.08, 1.0)),
    ((1.2, 0.1, -0.2), (0.05, 1.1, -0.1), (-0.1, 0.15, 1.0)),
)
"""From shares of one photo to shares of another: the same, cropped, tilted, turned, seen at an angle, enlarged."""


def fill(settings, n_cases=N_CASES):
    """Four documents of the archive, eight or so that came later and show their photos; the last two in two pairs."""
    rng = np.random.default_rng(20)
    folder = settings.home / "documents_in"
    folder.mkdir(parents=True)
    old = [_drawn(folder, f"old{i}.tif", rng) for i in range(4)]
    new = [_drawn(folder, f"new{i}.tif", rng) for i in range(n_cases)]
    runtime = Runtime(settings)
    with runtime.archive() as archive, runtime.reader() as reader:
        for at, (names, merchant) in enumerate([(old, "m-old"), (new, "m-new")]):
            files = [_arrived(path, f"{merchant}-{i}") for i, path in enumerate(names)]
            drop = archive.ledger.intake.seal(
                files, source="test", now=NOW + timedelta(days=at), chunk_documents=4, bulk=True
            )
            read_drop(archive, reader, drop, NOW)
            cut_drop(archive, reader, runtime.cutter(), drop, NOW)
        search = search_id_of(drop)
        archive.ledger.searches.start(SearchRecord(search, NOW, None, "photos__x__v1", n_cases, SearchSettings()))
        archive.ledger.searches.record(search, [_result(i, n_cases) for i in range(n_cases)])
        archive.ledger.searches.finish(search, NOW)
        _link(archive.ledger, archive.ledger.searches.results(search))
        report = file_cases(archive, drop, NOW, Weights(), ALONE)
        assert (len(report.filed.opened), report.without_case) == (n_cases, ())
        make_review_report(runtime, archive, REPORTED, NOW)
        rows = archive.ledger.documents.with_row_ids(range(1, n_cases + 5))
        assert [each.n_photos for each in rows] == [2] * (n_cases + 4)


def _link(ledger, results):
    """Files the links of these results, as screening does: a group for every photo that is shown again."""
    found = {each.document_id for result in results for each in result.top_docs}
    documents = ledger.documents.current_with_ids(found | {result.document_id for result in results})
    links = list(stored_links(results, documents, documents, {}))
    ledger.groups.replace([documents[result.document_id].id for result in results], links, 0.5)


def copy_of(home, target):
    """A home of its own for a test: databases are copied, documents and tables, which nobody changes, are linked."""

    def linked(source, copy):
        return shutil.copy2(source, copy) if ".sqlite" in source else os.link(source, copy)

    return shutil.copytree(home, target, copy_function=linked)


def _drawn(folder, name, rng):
    """A page with two photos of different sizes."""
    page = np.full((1170, 830, 3), 255, np.uint8)
    for top, width in ((90, 620), (600, 540)):
        rough = Image.fromarray(rng.integers(0, 255, (9, 13, 3), np.uint8)).resize(
            (width, 400), Image.Resampling.BICUBIC
        )
        fine = rng.integers(-20, 20, (400, width, 1))
        page[top : top + 400, 100 : 100 + width] = np.clip(np.asarray(rough, np.int16) + fine, 0, 245)
    Image.fromarray(page).save(folder / name, dpi=(100, 100), compression="tiff_deflate")
    return folder / name


def _arrived(path, merchant):
    stat = path.stat()
    fields = {"주소": f"Seoul {merchant}"}
    return ArrivedFile(str(path), path.name, path.stem, stat.st_size, stat.st_mtime_ns, merchant, fields)


def _result(i, n_cases):
    """One pair; of the last two documents two pairs, and the last one is a file that came before."""
    name, other = f"new{i}.tif", f"old{i % 4}.tif"
    photos = (0, 1) if i >= n_cases - 2 else (i % 2,)
    pairs = [
        a_pair(
            query_photo=photo,
            query_page=1,
            page=1,
            photo=photo,
            probability=0.99 - i / 200 - photo / 100,
            mirrored=i % 3 == 1,
            quarter_turns=i % 4,
            transform=None if i == 5 else TRANSFORMS[(i + photo) % len(TRANSFORMS)],
            lines=((0.2, 0.3, 0.25, 0.35), (0.7, 0.6, 0.72, 0.66)),
        )
        for photo in photos
    ]
    found = a_found(*pairs, document=other, merchant_id=f"m-old-{i % 4}", exact_duplicate=i == n_cases - 1)
    findings = [a_finding(found, photo=pair.query_photo, probability=pair.probability) for pair in pairs]
    if found.exact_duplicate:
        findings.insert(0, a_finding(found, photo=None, page=None, probability=1.0))
    return a_result(
        found, name=name, merchant_id=f"m-new-{i}", findings=tuple(findings), risk_score=0.9, flagged=True, n_photos=2
    )
