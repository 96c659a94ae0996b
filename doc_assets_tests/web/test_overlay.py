"""Re-uses of every attack, really verified, lie in the viewer where the truth says, not only where the ledger does."""

import json
import shutil
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.drawing.scenes import draw_scene
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord, search_id_of
from doc_assets.datatypes import Box
from doc_assets.lab.attacks import ATTACKS, attack
from doc_assets.photos.base import PhotoArea, PhotoExtractor
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.pipeline.comparing import Comparer, Limits
from doc_assets.pipeline.cutting import cut_drop
from doc_assets.pipeline.describing import describe_drop
from doc_assets.pipeline.reading import read_drop
from doc_assets.runtime import Runtime
from doc_assets.search.matching import Verifier
from doc_assets.settings import Settings
from doc_assets_tests.conftest import NOW
from doc_assets_tests.once import once
from doc_assets_tests.results import a_found, a_result
from doc_assets_tests.web import test_browser
from doc_assets_tests.web.home import copy_of

pytestmark = pytest.mark.slow

address, browse = test_browser.address, test_browser.browse
NEAR = 0.01
"""Of the other photo's diagonal."""
SEED = 11
WIDTH, HEIGHT, PAGE = 640, 480, 800
DISC_PX = 14
GRID = np.linspace(0.12, 0.88, 4)
BORDER = 40


@dataclass
class _Boxes(PhotoExtractor):
    """Finds the one photo of a page in its corner, as large as it was drawn; a blank page has none."""

    version: str = "known-1"

    def find(self, page):
        rows, columns = np.nonzero((page[BORDER:, BORDER:] != 254).any(axis=2))
        if not len(rows):
            return []
        return [PhotoArea(Box(BORDER, BORDER, BORDER + int(columns.max()) + 1, BORDER + int(rows.max()) + 1))]


def _photo():
    return np.ascontiguousarray(draw_scene(3, 0, WIDTH, kind="shelf")[:HEIGHT, :WIDTH])


def truth(name):
    """(3, 3) from shares of the attacked photo to shares of the original, by what the attack does to discs on white."""
    height, width = _photo().shape[:2]
    white = np.full((height, width, 3), 255, np.uint8)
    blank = cv2.GaussianBlur(attack(name, white, SEED), (0, 0), 2).astype(float)
    there, here = [], []
    for x in GRID * width:
        for y in GRID * height:
            marked = cv2.circle(white.copy(), (round(x), round(y)), DISC_PX, (0, 0, 0), -1, cv2.LINE_AA)
            seen = cv2.GaussianBlur(attack(name, marked, SEED), (0, 0), 2)
            found = _centre(np.abs(seen.astype(float) - blank).mean(axis=2))
            if found is not None:
                there.append(((round(x) + 0.5) / width, (round(y) + 0.5) / height))  # a disc's centre is a pixel's
                here.append((found[0] / seen.shape[1], found[1] / seen.shape[0]))
    assert len(there) >= 4, f"{name}: {len(there)} discs are left"
    matrix, _ = cv2.findHomography(np.array(here), np.array(there), cv2.RANSAC, 0.01)
    return matrix


def _centre(difference):
    """Where a disc lies, (x, y) in pixels; None if it is cut off or not seen."""
    strong = difference > 0.5 * max(difference.max(), 40.0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(strong.astype(np.uint8))
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height, _ = stats[best]
    rows, columns = difference.shape
    if min(left, top) <= 1 or left + width >= columns - 1 or top + height >= rows - 1:
        return None
    weight = np.where(labels == best, difference, 0.0)
    ys, xs = np.mgrid[0:rows, 0:columns]
    return ((xs + 0.5) * weight).sum() / weight.sum(), ((ys + 0.5) * weight).sum() / weight.sum()


def _tif(path, photos):
    """A page for each photo, on paper that no photo has in its lower right corner."""
    pages = []
    for photo in photos:
        page, (height, width) = np.full((PAGE, PAGE, 3), 254, np.uint8), photo.shape[:2]
        page[BORDER : BORDER + height, BORDER : BORDER + width] = np.where(photo == 254, 253, photo)
        pages.append(Image.fromarray(page))
    pages[0].save(path, save_all=True, append_images=pages[1:], dpi=(100, 100), compression="tiff_deflate")
    stat = path.stat()
    return ArrivedFile(str(path), path.name, path.stem, stat.st_size, stat.st_mtime_ns, f"m-{path.stem}")


def _fitting(photo):
    scale = min(1.0, (PAGE - 2 * BORDER) / max(photo.shape[:2]))
    size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
    return np.ascontiguousarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if scale < 1 else photo)


def fill(folder):
    """A home with an original and a document with a page for what each attack made of it, verified as by screening."""
    settings = Settings(home=folder / "home", log_dir=folder / "log")
    runtime = Runtime(settings)
    inbox = folder / "in"
    inbox.mkdir(parents=True)
    files = [
        _tif(inbox / "old.tif", [_photo()]),
        _tif(inbox / "new.tif", [_fitting(attack(name, _photo(), SEED)) for name in ATTACKS]),
    ]
    with runtime.archive() as archive, runtime.reader() as reader:
        drop = archive.ledger.intake.seal(files, source="test", now=NOW, chunk_documents=4)
        read_drop(archive, reader, drop, NOW)
        cutter = PhotoCutter(_Boxes())
        cut_drop(archive, reader, cutter, drop, NOW)
        describer = runtime.describer()
        describe_drop(archive, describer, 1, cutter.version, drop, NOW)
        old, new = archive.ledger.documents.with_row_ids([1, 2])
        assert (old.n_photos, new.n_photos) == (1, len(ATTACKS))
        verifier = Verifier.of(archive, describer.features_id, runtime.pair_model(None))
        limits = Limits(len(ATTACKS), 3600)
        pairs = Comparer(archive, verifier, "none", runtime.request().thresholds, limits).compare(new, old).pairs
        result = a_result(a_found(*pairs, document="old.tif"), name="new.tif", flagged=True, n_photos=len(ATTACKS))
        search = search_id_of(drop)
        archive.ledger.searches.start(SearchRecord(search, NOW, None, "photos__x__v1", 1, SearchSettings()))
        archive.ledger.searches.record(search, [result])
        archive.ledger.searches.finish(search, NOW)
    return pairs


@pytest.fixture
def home(tmp_path_factory, django, tmp_path):
    """A copy of the home with its people."""
    home = copy_of(once(tmp_path_factory, "overlay", fill) / "home", tmp_path / "home")
    shutil.copy(django, home / "accounts.sqlite")
    return home


def test_a_re_use_lies_over_its_original_where_the_truth_says(browse, home):
    names = list(ATTACKS)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    off, unaligned = {}, []
    with browse() as seen:
        session = seen.page.context.new_cdp_session(seen.page)
        seen.page.set_default_timeout(120_000)
        for at in range(len(names)):
            seen.page.goto(f"{seen.address}/compare?own=2&other=1&pair={at}")
            seen.page.wait_for_selector("#viewer[data-ready]")
            shown = json.loads(seen.page.text_content("#pairs"))[at]
            name = names[int(shown["own"].split("/")[3])]
            seen.page.keyboard.press("2")
            if seen.page.is_disabled("[data-mode=overlay]"):
                unaligned.append(name)
                continue
            mapped = np.column_stack([corners, np.ones(4)]) @ truth(name).T
            frame = test_browser._quad(session, ".pane:not([hidden]) .world > img")
            expected = frame[0] + mapped[:, :2] / mapped[:, 2:] * (frame[2] - frame[0])
            distances = np.linalg.norm(test_browser._quad(session, ".over img") - expected, axis=1)
            off[name] = float(distances.max() / np.linalg.norm(frame[2] - frame[0]))
    assert len(off) + len(unaligned) == len(names)
    assert {name: round(share, 4) for name, share in off.items() if share >= NEAR} == {}
    assert unaligned == []
