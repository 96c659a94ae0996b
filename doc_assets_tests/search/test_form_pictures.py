"""Which pairs are pictures of the form: looks, places, frequency and an operator's word, as rules on values."""

from dataclasses import replace
from datetime import date

import pytest

from doc_assets.archive.ledger.form_pictures import KnownPicture, PagePlace
from doc_assets.archive.ledger.json_codec import as_json, from_json
from doc_assets.archive.ledger.results import PhotoPair
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import Box, Look
from doc_assets.search.form_pictures import (
    drawn_in_search,
    is_form_picture,
    is_same_place,
    placed_in_search,
    rule_of,
    seen_pairs,
)
from doc_assets.search.kinds import drawn_look, kind_of
from doc_assets_tests.results import a_found, a_pair, a_result

A4 = (1654, 2339)
BOX = (100, 150, 500, 550)
PLACE = PagePlace(0, Box(*BOX), A4)
ELSEWHERE = replace(PLACE, box=Box(700, 900, 1100, 1300))


def _looks(one, other, code=False):
    kind = "code" if code else "graphics"
    return tuple(Look(kind if flat >= 0.3 else "photograph", flat, {"code": 0.0}) for flat in (one, other))


def _pair(**changed) -> PhotoPair:
    return a_pair(query_page=1, page=1, query_box=BOX, box=BOX, **changed)


def _known(state, by=None, place=PLACE):
    return KnownPicture(1, state, by, place)


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        (_looks(0.95, 0.9), "graphics"),
        (_looks(0.99, 0.6), "graphics"),  # one scan shows what the other hides
        (_looks(0.7, 0.7), None),
        (_looks(0.999, 0.2), None),
        (_looks(0.5, 0.4, code=True), "code"),
        (_looks(0.5, 0.2, code=True), None),
    ],
)
def test_two_looks_are_judged_together(looks, wanted):
    assert drawn_look(*looks) == wanted
    assert is_form_picture(_pair(looks=looks), []) == (wanted is not None)


@pytest.mark.parametrize(
    ("known", "looks", "wanted"),
    [
        (_known("undone"), _looks(0.99, 0.99), False),
        (_known("confirmed"), None, True),
        (_known("confirmed", place=ELSEWHERE), None, False),
        (_known("confirmed", place=ELSEWHERE), _looks(0.5, 0.5), True),
        (_known("recognised", "frequency"), _looks(0.5, 0.5), True),
        (_known("recognised", "frequency"), _looks(0.1, 0.06), True),
        (_known("recognised", "frequency"), _looks(0.9, 0.04), False),
        (_known("recognised", "frequency"), None, False),
        (_known("recognised", "graphics"), _looks(0.5, 0.5), True),
        (_known("recognised", "graphics", place=ELSEWHERE), _looks(0.5, 0.06), True),
        (_known("recognised", "code", place=ELSEWHERE), _looks(0.5, 0.04), False),
        (_known("recognised", "frequency", place=ELSEWHERE), _looks(0.5, 0.5), False),
        (_known("candidate"), _looks(0.5, 0.5), False),
        (_known("candidate"), None, False),
        (_known("watched"), _looks(0.95, 0.95), True),
    ],
)
def test_the_ledger_decides_before_looks_and_a_photograph_needs_an_operator(known, looks, wanted):
    assert is_form_picture(_pair(looks=looks), [known]) == wanted


def test_what_an_operator_undid_is_no_picture_of_the_form_whatever_else_is_known():
    assert not is_form_picture(_pair(looks=_looks(0.99, 0.99)), [_known("confirmed"), _known("undone")])


def test_one_search_tells_what_enough_merchants_show_at_one_place():
    drawn, photo, away = _pair(looks=_looks(0.95, 0.1)), _pair(), _pair(looks=_looks(0.1, 0.1))
    moved = replace(away, box=(700, 900, 1100, 1300))

    def told(*pairs, own="m0"):
        return placed_in_search([(f"m{n + 1}", pair) for n, pair in enumerate(pairs)], own, Thresholds())

    assert told(drawn, away, photo) == [True, True, False]  # with the query's three merchants
    assert told(drawn, photo) == [False, False]
    assert told(drawn, moved) == [False, False]
    assert told(drawn, away, own=None) == [False, False]
    assert told(drawn, replace(away, probability=0.01, inliers=5)) == [False, False]
    assert told() == []


def test_what_one_pair_shows_drawn_is_known_of_both_its_photos():
    sure, vague = _pair(looks=_looks(0.95, 0.9)), _pair(looks=_looks(0.95, 0.1), photo=7)
    result = replace(a_result(), top_docs=(a_found(sure, document="one.tif"), a_found(vague, document="other.tif")))

    assert drawn_in_search([result], Thresholds()) == {(result.document_id, 0), ("one", sure.photo)}


@pytest.mark.parametrize(
    ("box", "size", "wanted"),
    [
        (BOX, A4, True),
        ((120, 170, 520, 570), A4, True),
        ((200, 150, 600, 550), A4, False),
        ((100, 150, 560, 610), A4, False),
        ((150, 225, 750, 825), (2481, 3508), True),  # the same page at another resolution
        ((150, 225, 750, 825), A4, False),
        ((150, 225, 750, 825), None, True),  # by proportions
        ((150, 400, 750, 1000), None, False),
        ((100, 150, 500, 750), None, False),
    ],
)
def test_a_place_is_one_in_shares_of_the_page_or_by_proportions(box, size, wanted):
    other = PagePlace(0, Box(*box), size)

    assert is_same_place(PLACE, other) == is_same_place(other, PLACE) == wanted


def test_what_the_ledger_knows_makes_the_kind_of_a_pair():
    thresholds = Thresholds()
    flat = _looks(0.95, 0.95)

    assert kind_of(_pair(looks=flat), thresholds) == "form_picture"
    assert kind_of(_pair(looks=flat, known_form=False), thresholds) == "same_photograph"
    assert kind_of(_pair(known_form=True), thresholds) == "form_picture"
    assert kind_of(_pair(known_form=True, probability=0.05), thresholds) is None
    pair = _pair(looks=flat, known_form=False)
    assert from_json(PhotoPair, as_json(pair)) == pair
    assert pair.reversed().known_form is False


def _document(row, name):
    return Document(
        id=row, drop_key="d", position=row, document_id=name, file_name=f"{name}.tif", source_path="", merchant_id=None,
        size_bytes=1, mtime_ns=1, sha256=f"s{row}", state="ok", reason_code=None, reason=None, is_current=True,
        n_pages=1, n_photos=1, fields={}, document_date=date(2024, 1, 1), date_source="name",
    )  # fmt: skip


def test_pairs_are_filed_if_they_look_drawn_or_stand_at_one_place():
    elsewhere = {"box": (700, 900, 1100, 1300)}
    pairs = [
        _pair(query_photo=0),
        replace(_pair(query_photo=1, looks=_looks(0.95, 0.95)), photo=2, **elsewhere),
        replace(_pair(query_photo=2), **elsewhere),
        _pair(query_photo=3, probability=0.2),
    ]
    result = a_result(a_found(*pairs), name="q.tif")
    rows, found = {"q": _document(1, "q")}, {"earlier": _document(2, "earlier")}

    seen = list(seen_pairs([result], rows, found, {("s1", 0): A4}, Thresholds()))

    assert [(pair.one.photo, pair.other.photo, pair.by) for pair in seen] == [
        ((1, 0), (2, 1), None),
        ((1, 1), (2, 2), "graphics"),
    ]
    assert seen[0].one.place == PLACE
    assert seen[0].other.place.page_size is None
    assert [seen[at].one.flatness for at in (0, 1)] == [0.0, 0.95]
    assert list(seen_pairs([result], rows, {}, {}, Thresholds())) == []
    assert rule_of(Thresholds(form_picture_merchants=5)).merchants == 5
