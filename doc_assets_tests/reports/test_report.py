import re
from dataclasses import replace

import numpy as np
import pytest

from doc_assets.archive.ledger.results import Overlap, PhotoPair
from doc_assets.archive.ledger.search_settings import SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.archive.photo_lookup import page_view
from doc_assets.datatypes import Box, View
from doc_assets.features.sift import mirrored
from doc_assets.lab.attacks import ATTACKS, attack
from doc_assets.lab.forms import Style, photo_page
from doc_assets.reports.pair_picture import PairPictures, draw_pair, laid_over
from doc_assets.reports.report import PictureSources, document_page, write_reports
from doc_assets.reports.wording import changes, reasons
from doc_assets.search.verify.geometry import align, changes_of
from doc_assets_tests.browser import screenshot, text_of
from doc_assets_tests.conftest import NOW
from doc_assets_tests.drawn import features_of, picture
from doc_assets_tests.results import a_finding, a_found, a_pair, a_result, a_reuse

PICTURE = picture(31)
SETTINGS = SearchSettings(privacy_mode=False)
SEARCH = SearchRecord("run-1", NOW, NOW, "photos__x", 12345, SETTINGS)
HOSTILE = '"><script>document.title="owned"</script>.tif'
GEOMETRIC = [
    "cropped slightly", "cropped", "cropped by half", "turned by 90°", "turned by 180°", "mirrored", "stretched",
    "tilted", "at an angle",
]  # fmt: skip


def _pair(query, archive, **changed):
    features = features_of(query)
    found = align(features, mirrored(features), features_of(archive))
    box = Box(100, 200, 100 + archive.shape[1], 200 + archive.shape[0])
    view = View(found.quarter_turns, found.mirrored)
    found_pair = PhotoPair(
        query_page=1, query_photo=0, query_box=(10, 20, 400, 300), page=2, photo=1, box=tuple(box.as_list()),
        matched=True, similarity=0.9, probability=0.98, inliers=found.inliers, quarter_turns=view.quarter_turns,
        mirrored=view.mirrored,
        overlap=Overlap(
            found.query_share, found.archive_share, found.query_area, found.archive_area, found.appearance.agreement
        ),
        changes=changes_of(found, box, box), transform=tuple(map(tuple, found.transform.tolist())),
        lines=tuple(map(tuple, found.lines[:24].tolist())),
    )  # fmt: skip
    return replace(found_pair, **changed)


def _result(pair, name="q.tif", **found):
    return a_reuse(a_found(pair, **{"merchant_id": None, **found}), name=name)


class Pictures:
    """One photo and one page for everything."""

    def __init__(self, photo):
        self._photo = photo

    def photo(self, _name, _index):
        return self._photo

    def page(self, _name, _index):
        return page_view(photo_page([PICTURE], Style.CLASSIC, 1, np.random.default_rng(0)).pixels)


def _truth(name, seed):
    """Where the corners of an attacked photo come from, in shares of the original: read off a picture of places."""
    height, width = PICTURE.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    places = np.stack([columns * 255 / width, rows * 255 / height, np.full((height, width), 128)], axis=2)
    seen = np.asarray(attack(name, np.round(places).astype(np.uint8), seed), float)
    h, w = seen.shape[:2]
    ys, xs = np.mgrid[8 : h - 8 : 9, 8 : w - 8 : 9].reshape(2, -1)
    sampled = seen[ys, xs]
    kept = (np.abs(sampled[:, 2] - 128) < 1.5) & (sampled[:, :2].min(axis=1) > 4) & (sampled[:, :2].max(axis=1) < 251)
    import cv2

    source = np.stack([(xs + 0.5) / w, (ys + 0.5) / h], axis=1)[kept].astype(np.float32)
    matrix, _ = cv2.findHomography(source, (sampled[kept, :2] / 255).astype(np.float32), cv2.RANSAC, 0.01)
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ matrix.T
    return corners[:, :2] / corners[:, 2:]


@pytest.mark.alike(2)
@pytest.mark.parametrize("name", GEOMETRIC)
def test_the_drawn_overlap_lies_where_the_attack_put_it(name):
    errors = []
    for seed in range(3):
        pair = _pair(attack(name, PICTURE, seed), PICTURE)
        corners = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 1], [1, 1, 1]] if pair.mirrored else
                           [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float)  # fmt: skip
        found = corners @ np.array(pair.transform).T
        errors.append(np.linalg.norm(found[:, :2] / found[:, 2:] - _truth(name, seed), axis=1).mean() / 2**0.5)

    assert np.mean(errors) < 0.03


@pytest.mark.alike(3)
@pytest.mark.parametrize("index", range(8))
def test_a_photo_laid_over_its_original_is_the_original(index):
    view = View.at(index)
    query = np.ascontiguousarray(view.apply(PICTURE))

    pair = _pair(query, PICTURE)
    laid = laid_over(query, PICTURE.shape, np.array(pair.transform), mirrored=pair.mirrored)

    assert np.abs(laid.astype(int) - PICTURE).mean() < 6


def test_the_picture_shows_both_photos_and_their_overlap(tmp_path):
    pair = _pair(attack("cropped", PICTURE, 2), PICTURE)
    pages = Pictures(PICTURE).page("", 0)

    full = draw_pair(PairPictures(attack("cropped", PICTURE, 2), PICTURE, pages, pages), pair, ("q.tif", "a.tif"))
    without = replace(pair, transform=None, lines=None, overlap=None)
    plain = draw_pair(PairPictures(PICTURE, PICTURE), without, ("q.tif", "a" * 300 + ".tif"))

    assert full.shape[1] == plain.shape[1] == 1320
    assert full.shape[0] > plain.shape[0]  # the aligned row
    green = (full == (0, 150, 60)).all(axis=2)
    red = (full == (214, 40, 40)).all(axis=2)
    assert green[:, 200:660].sum() > 500
    assert green[:, 660:1110].sum() > 500
    assert red[:, :200].any()
    assert red[:, 1110:].any()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mirrored", "mirrored"),
        ("turned by 180°", "turned 180°"),
        ("turned by 90°", "clockwise"),
        ("cropped by half", "cropped to"),
        ("tilted", "tilted by"),
        ("recompressed", "not cut, turned or toned"),
    ],
)
def test_what_was_done_is_said_in_words(name, words):
    texts = changes(_pair(attack(name, PICTURE, 3), PICTURE))

    assert words in ", ".join(text.en for text in texts)
    assert all(text.ko and text.en for text in texts)


def test_reasons_name_merchant_date_and_drop_and_what_does_not_count():
    pair = _pair(PICTURE, PICTURE)
    own = a_found(pair, merchant_id="m1", same_merchant=True, counts=False)
    exact = a_found(pair, exact_duplicate=True, merchant_id="m2", relation="same_drop")

    (own_again,) = reasons(a_result(own, findings=(a_finding(own, kind="own_photo_again", counts=False),)))
    assert (own_again.code, own_again.counts) == ("own_photo_again", False)
    (reuse,) = reasons(a_reuse(a_found(pair)))
    assert (reuse.code, reuse.counts) == ("reuse", True)
    assert "earlier.tif (merchant 1234567890, 2023-03-01 by its name)" in reuse.text.en
    assert "earlier.tif (가맹점 1234567890, 2023-03-01 파일명 기준)" in reuse.text.ko
    (identical,) = reasons(a_reuse(exact))
    assert identical.code == "identical_file"
    assert "merchant m2, 2023-03-01, same drop" in identical.text.en
    assert "가맹점 m2, 2023-03-01, 같은 입고분" in identical.text.ko
    assert [reason.code for reason in reasons(a_result(a_found(replace(pair, matched=False))))] == ["nothing_found"]


def test_what_is_not_certain_is_said_and_does_not_count():
    (doubt,) = reasons(a_result(doubt=0.42))
    (below,) = reasons(replace(a_reuse(a_found(a_pair())), risk_score=0.6, flagged=False))

    assert (doubt.code, doubt.counts) == ("doubt", False)
    assert "0.42" in doubt.text.en
    assert (below.code, below.counts) == ("reuse", False)
    assert "below the threshold" in below.text.en


@pytest.mark.whole
def test_a_page_stands_alone_and_hostile_names_stay_text(tmp_path):
    pair = _pair(PICTURE, PICTURE)
    sources = PictureSources(Pictures(PICTURE), Pictures(PICTURE))

    path = write_reports(SEARCH, [_result(pair, HOSTILE)], tmp_path, HOSTILE, sources)

    (document,) = (tmp_path / "evidence").iterdir()
    for page in (path, document):
        content = page.read_text(encoding="utf-8")
        assert "<script" not in content
        assert not re.search(r'(?:src|href)="(?!data:|#|evidence/)', content)
        assert "owned" not in text_of(page.as_uri(), tmp_path).split("</title>")[0].replace(HOSTILE, "") or (
            "&lt;script&gt;" in content
        )
    assert "data:image/jpeg;base64," in document.read_text(encoding="utf-8")


@pytest.mark.whole
@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_report_opens_in_a_browser_without_network(tmp_path, language):
    pair = _pair(attack("mirrored", PICTURE, 1), PICTURE)
    sources = PictureSources(Pictures(attack("mirrored", PICTURE, 1)), Pictures(PICTURE))
    write_reports(SEARCH, [_result(pair)], tmp_path, "20261121-0930-0001", sources)

    shown = screenshot(f"{(tmp_path / 'evidence' / 'q.html').as_uri()}#{language}", tmp_path / f"{language}.png")
    other = screenshot(
        f"{(tmp_path / 'evidence' / 'q.html').as_uri()}#{'en' if language == 'ko' else 'ko'}", tmp_path / "other.png"
    )

    assert shown.shape == (768, 1366, 3)
    red = (np.abs(shown.astype(int) - (179, 38, 30)).max(axis=2) < 8).sum()
    assert red > 5000  # the verdict
    assert (np.abs(shown.astype(int) - (0, 150, 60)).max(axis=2) < 40).sum() > 300  # the outlined overlap
    assert (shown != other).any()


def test_a_private_search_shows_the_archives_side_only():
    pair = _pair(PICTURE, PICTURE)
    queries = Pictures(np.full((50, 50, 3), (255, 0, 255), np.uint8))

    shown = document_page(SEARCH, _result(pair), PictureSources(None, Pictures(PICTURE)))
    batch = document_page(SEARCH, _result(pair, same_batch=True), PictureSources(None, queries))

    assert "data:image/jpeg" in shown
    assert "Privacy mode" in shown
    assert "data:image/jpeg" not in batch


@pytest.mark.parametrize("keypoints", [None, 0])
def test_a_match_by_similarity_alone_has_a_page_too(keypoints):
    """A search that does not verify, and a photo whose keypoints are lost."""
    pair = _pair(PICTURE, PICTURE, inliers=keypoints, probability=None if keypoints is None else 0.7)
    bare = replace(pair, overlap=None, changes=None, transform=None, lines=None)

    for queries in (None, Pictures(PICTURE)):
        page = document_page(SEARCH, _result(bare), PictureSources(queries, Pictures(PICTURE)))
        assert "data:image/jpeg" in page
    assert "too few keypoints agree" in page


@pytest.mark.whole
def test_every_attack_gets_a_picture():
    nothing: list[str] = []
    for name in ATTACKS:
        query = attack(name, PICTURE, 1)
        pair = _pair(query, PICTURE)
        picture = draw_pair(PairPictures(query, PICTURE), pair, ("q.tif", "a.tif"))
        if picture.std() < 10:
            nothing.append(name)

    assert nothing == []


def test_of_what_a_form_prints_one_document_is_shown_after_everything_else():
    form, copy = a_pair(kind="form_picture", matched=False), a_pair(kind="same_photograph", query_photo=1)
    found = [a_found(form, document=f"form{number}.tif", document_id=f"form{number}") for number in range(20)]
    result = replace(a_reuse(a_found(copy)), top_docs=(*found, a_found(copy, document="copy.tif")), n_photos=2)

    page = document_page(SEARCH, result, PictureSources(Pictures(PICTURE), Pictures(PICTURE)))

    assert page.index("copy.tif") < page.index("form0.tif")
    assert [name for name in (f"form{number}.tif" for number in range(20)) if name in page] == ["form0.tif"]
