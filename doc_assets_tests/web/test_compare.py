"""Any two documents beside each other, and why the one was not flagged for the other."""

import re

import pytest

from doc_assets.archive.ledger.results import SearchFault
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.pipeline.comparing import Comparison
from doc_assets_tests.results import a_pair
from doc_assets_tests.web.conftest import text_of


@pytest.fixture
def numbers(desk):
    """Numbers of the home's documents by their names without suffix."""
    return {each.document_id: each.id for each in desk.ledger.documents.with_row_ids(range(1, 13))}


def _page(desk, numbers, own, other, name="viewer", language="en"):
    return desk.client(name, language).get(f"/compare?own={numbers[own]}&other={numbers[other]}").content.decode()


class _Compared:
    """Stands for the comparer: what it compares costs seconds and is tested by itself."""

    def __init__(self, *pairs):
        self.found = Comparison(pairs, 4, ())

    def compare(self, own, other):
        return self.found


def test_documents_are_named_by_number_or_name_and_no_name_goes_into_an_address(desk, numbers):
    client = desk.client("viewer")
    wanted = f"/compare?own={numbers['new0']}&other={numbers['old0']}"
    for own, other in (("new0.tif", "old0"), (str(numbers["new0"]), "old0.tif"), (" new0 ", str(numbers["old0"]))):
        assert client.post("/compare/find", {"own": own, "other": other}).headers["Location"] == wanted

    response = client.post("/compare/find", {"own": "new0", "other": "nothing"})
    assert response.headers["Location"] == f"/compare?own={numbers['new0']}"
    assert "no such other document" in text_of(client.get(response.headers["Location"]))


def test_what_was_flagged_is_said_to_be_that_and_shown_in_the_viewer(desk, numbers):
    page = _page(desk, numbers, "new0", "old0")

    assert "It was flagged, and this document is a reason: risk 0.90, best pair 99%" in page
    assert f'"/photos/{numbers["new0"]}/0/1024.jpg"' in page
    assert f'"/photos/{numbers["old0"]}/0/1024.jpg"' in page
    assert "44 points agree" in page
    assert desk.actions() == [("viewer", "documents.compare", f"documents {numbers['new0']} and {numbers['old0']}")]


def test_an_earlier_document_is_told_that_nothing_screened_it(desk, numbers):
    page = _page(desk, numbers, "old0", "old1")
    assert "This document was not screened yet" in page
    assert "nothing is indexed yet" in page


def test_a_document_that_no_screening_names_is_compared_now(desk, numbers):
    desk.desk.comparer = _Compared(a_pair(matched=False, kind="other_shot", probability=0.07, photo=0))
    page = _page(desk, numbers, "new0", "old1")

    assert "did not find the other document among its candidates" in page
    assert "Compared now (1 of 4 pairs): the best pair is another shot of the same scene" in page
    assert "one photograph with probability 7%" in page
    assert f'"/photos/{numbers["old1"]}/0/1024.jpg"' in page


def test_what_cannot_be_compared_says_so(desk, numbers):
    desk.desk.comparer = _Compared()
    assert "There is no pair of photos to compare now (0 of 4)" in _page(desk, numbers, "new0", "old1")

    result = desk.ledger.searches.of_documents([search_id_of(desk.cases()[0].drop_key)], ["new0"])
    (search_id, [stored]) = next(iter(result.items()))
    fault = SearchFault("pair", "out of memory", query_photo=0, document="old1.tif", photo=0)
    desk.ledger.searches.record(search_id, [type(stored)(**{**_fields(stored), "faults": (fault,)})])
    assert "Comparing them failed: photo 1, against photo 1 of old1.tif: out of memory" in _page(
        desk, numbers, "new0", "old1"
    )


def _fields(record):
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def test_one_document_is_not_compared_with_itself(desk, numbers):
    assert "no document is compared with itself" in _page(desk, numbers, "new0", "new0")


def test_identical_files_are_shown_as_wholes(desk, numbers):
    page = _page(desk, numbers, "new7", "old3")
    assert "Whole file: The files are identical 100%" in page
    assert f'"/pages/{numbers["old3"]}/1.jpg"' in page


def test_each_pair_has_its_place(desk, numbers):
    address = f"/compare?own={numbers['new6']}&other={numbers['old2']}"
    page = desk.client("viewer").get(address).content.decode()
    assert len(re.findall('data-pair="', page)) == 2
    for pair in ("1", "99", "x", "9" * 40):
        assert desk.client("viewer").get(f"{address}&pair={pair}").status_code == 200
    assert 'data-at="1"' in desk.client("viewer").get(f"{address}&pair=1").content.decode()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_answer_has_its_sentence(desk, language):
    from typing import get_args

    from django.utils.translation import override

    from doc_assets.search.standing import StandingCode
    from doc_assets.web.wording import say

    values = dict.fromkeys(("probability", "threshold", "risk", "flag", "own_date", "other_date", "detail"), "#")
    with override(language):
        told = [say(f"why_{code}", **values) for code in get_args(StandingCode)]
    assert len(set(told)) == len(told)
    assert not [text for text in told if "{" in text]


@pytest.mark.parametrize("query", ["own=0&other=1", f"own={'9' * 15}&other=1", "own=1&other=999999"])
def test_numbers_of_nothing_are_not_found(desk, query):
    assert desk.client("viewer").get(f"/compare?{query}").status_code == 404


@pytest.mark.parametrize("query", ["", "own=x", "own=%00&other=1", f"own={'9' * 40}", "own=1", "other=1", "own=-1"])
def test_what_names_no_two_documents_shows_the_form(desk, query):
    assert "Name two documents" in text_of(desk.client("viewer").get(f"/compare?{query}"))
