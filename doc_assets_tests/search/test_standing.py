from dataclasses import replace
from datetime import date

import pytest

from doc_assets.archive.ledger.results import SearchFault
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.search.standing import Screened, standing_of
from doc_assets_tests.results import DAY, EARLIER, a_finding, a_found, a_pair, a_result, a_reuse


def _document(name="q", merchant="m1", day=DAY, **changed):
    values = {
        "id": 1, "drop_key": "d", "position": 0, "document_id": name, "file_name": f"{name}.tif", "source_path": "/x",
        "merchant_id": merchant, "size_bytes": 1, "mtime_ns": 1, "sha256": "s", "state": "ok", "reason_code": None,
        "reason": None, "is_current": True, "n_pages": 1, "n_photos": 1, "fields": {}, "document_date": day,
        "date_source": "name",
    }  # fmt: skip
    return Document(**{**values, **changed})


OWN, OTHER = _document(), _document("earlier", "1234567890", EARLIER, id=2)
ASKED = SearchRequest()


def _standing(result, own=OWN, other=OTHER, there=None, **asked):
    asked = replace(ASKED, **asked)
    seen = Screened(result, asked) if result is not None else None
    return standing_of(own, other, seen, Screened(there, asked) if there is not None else None)


def test_what_counts_is_said_to_be_a_reason_and_how_far_it_goes():
    result = a_reuse(a_found(a_pair()))
    found = _standing(result)
    assert (found.code, found.probability, found.risk) == ("flagged", 0.97, 0.97)

    found = _standing(replace(result, flagged=False, risk_score=0.4))
    assert (found.code, found.threshold, found.risk) == ("below_flag", 0.5, 0.4)


def test_both_have_to_be_in_the_archive_and_two_documents():
    result = a_reuse(a_found(a_pair()))
    assert _standing(result, other=OWN).code == "same_document"
    assert _standing(result, other=replace(OTHER, is_current=False)).code == "not_current"
    assert _standing(result, own=replace(OWN, is_current=False)).code == "not_current"
    assert _standing(None).code == "not_screened"


@pytest.mark.parametrize(
    ("merchant", "kind", "day", "wanted"),
    [
        ("m1", "own_photo_again", EARLIER, "same_merchant"),
        ("m2", "own_photo_again", EARLIER, "own_photo_again"),
        ("m2", "first_use", date(2024, 5, 1), "first_use"),
        ("m2", "reuse", date(2024, 5, 1), "first_use"),
        ("m2", "reuse", EARLIER, "later"),
    ],
)
def test_one_photograph_does_not_always_count(merchant, kind, day, wanted):
    found = a_found(a_pair(), counts=False, merchant_id=merchant)
    result = a_result(found, findings=(a_finding(found, kind=kind, counts=False),))

    assert _standing(result, other=replace(OTHER, merchant_id=merchant, document_date=day)).code == wanted


@pytest.mark.parametrize("kind", ["form_picture", "cannot_tell", "other_shot", "shared_thing", None])
def test_photos_that_are_alike_otherwise_are_called_what_they_are(kind):
    pair = a_pair(matched=False, kind=kind, probability=0.31)
    found = _standing(a_result(a_found(pair, counts=False, n_matched_photos=0)), match_probability=0.6)

    assert found.code == (kind or "below_match")
    assert (found.probability, found.threshold) == (0.31, 0.6)
    assert found.pairs == (pair,)


def test_the_screening_of_the_other_document_speaks_where_the_own_one_is_silent():
    pair = a_pair()
    there = a_result(a_found(pair, document="q.tif"), name="earlier.tif")

    found = _standing(a_result(), other=replace(OTHER, document_date=date(2024, 5, 1)), there=there)
    assert (found.code, found.pairs) == ("first_use", (pair.reversed(),))
    assert _standing(a_result(), there=there).code == "later"
    assert _standing(a_result(), other=replace(OTHER, merchant_id="m1"), there=there).code == "same_merchant"
    weak = a_result(a_found(replace(pair, matched=False, kind="other_shot"), document="q.tif"), name="earlier.tif")
    assert _standing(a_result(), there=weak).code == "other_shot"


def test_why_a_screening_does_not_name_a_document():
    assert _standing(a_result()).code == "not_found"
    assert _standing(a_result(searched=False, error="broken", risk_score=None)).detail == "broken"
    fault = SearchFault("pair", "no memory", query_photo=0, document="earlier.tif", photo=1)
    found = _standing(a_result(faults=(fault,)))
    assert (found.code, "no memory" in found.detail) == ("not_compared", True)
    own = replace(OTHER, merchant_id="m1")
    assert _standing(a_result(), other=own, exclude_own_merchant=True).code == "left_out"
    assert _standing(a_result(), other=own).code == "not_found"


def test_identical_files_are_said_to_be_that():
    found = _standing(a_reuse(a_found(exact_duplicate=True)))
    assert (found.code, found.is_identical, found.probability, found.pairs) == ("flagged", True, 1.0, ())
