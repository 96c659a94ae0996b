from datetime import date

import pytest

from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.archive.ledger.form_pictures import FormPictureRule, PagePlace, SeenPair, SeenPhoto
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.rows import ReadOutcome
from doc_assets.datatypes import Box, DocumentDate
from doc_assets.errors import InputError
from doc_assets_tests.conftest import NOW

RULE = FormPictureRule(merchants=3, flatness=0.5)
PLACE = PagePlace(0, Box(10, 20, 110, 90), (1000, 1400))


def _seal(ledger, *merchants):
    """One document a merchant; an empty merchant is unknown."""
    files = [
        ArrivedFile(
            f"/in/d{at}.tif", f"d{at}.tif", f"d{at}", 1, 1, merchant_id=merchant or None,
            date=DocumentDate(date(2024, 1, 1 + at), "name"),
        )
        for at, merchant in enumerate(merchants)
    ]  # fmt: skip
    key = ledger.intake.seal(files, source="test", now=NOW, chunk_documents=100)
    documents = ledger.documents.of_chunk(key, range(100))
    ledger.documents.record_read([ReadOutcome(each.id, f"s{each.id}", "ok", None, None, 1) for each in documents])
    return [document.id for document in documents]


def _pair(one, other, flatness, by=None, place=PLACE):
    return SeenPair(SeenPhoto((one, 0), place, flatness), SeenPhoto((other, 0), place, flatness), by)


def _state(ledger, row):
    found = ledger.form_pictures.of_rows([row])
    return (found[row, 0].state, found[row, 0].by) if found else None


def test_a_look_recognises_a_picture_at_once(ledger):
    a, b = _seal(ledger, "m1", "m1")

    changed = ledger.form_pictures.add([_pair(b, a, 0.9, "graphics")], RULE)

    total, (picture,) = ledger.form_pictures.page(10)
    assert changed == {picture.picture_id}
    assert (total, picture.state, picture.recognised_by) == (1, "recognised", "graphics")
    assert (picture.document, picture.photo, picture.place) == ("d0.tif", 0, PLACE)
    assert (picture.n_photos, picture.n_documents, picture.n_merchants) == (2, 2, 1)
    assert ledger.form_pictures.add([_pair(b, a, 0.9, "code")], RULE) == set()
    assert _state(ledger, a) == ("recognised", "code")


@pytest.mark.parametrize(
    ("flatness", "state"), [(0.6, ("recognised", "frequency")), (0.1, ("candidate", None))]
)  # fmt: skip
def test_three_known_merchants_make_a_picture_or_a_candidate(ledger, flatness, state):
    a, b, c, d = _seal(ledger, "m1", "m2", "", "m3")

    ledger.form_pictures.add([_pair(b, a, flatness)], RULE)
    ledger.form_pictures.add([_pair(c, a, flatness)], RULE)
    assert _state(ledger, a) == ("watched", None)
    assert ledger.form_pictures.page(10) == (0, [])
    changed = ledger.form_pictures.add([_pair(d, b, flatness)], RULE)

    assert {_state(ledger, row) for row in (a, b, c, d)} == {state}
    assert bool(changed) == (state[0] == "recognised")
    assert ledger.form_pictures.settle(FormPictureRule(4, 0.5)) == changed
    assert _state(ledger, a) == ("watched", None)


def test_sets_that_meet_become_one_and_keep_a_decision(ledger):
    a, b, c, d = _seal(ledger, "m1", "m2", "m3", "m4")
    ledger.form_pictures.add([_pair(b, a, 0.9, "graphics")], RULE)
    ledger.form_pictures.add([_pair(d, c, 0.9, "graphics")], RULE)
    later = ledger.form_pictures.of_rows([c])[c, 0].picture_id
    ledger.form_pictures.decide(later, "undone", "kim", NOW)

    ledger.form_pictures.add([_pair(c, b, 0.9, "graphics")], RULE)

    assert {_state(ledger, row)[0] for row in (a, b, c, d)} == {"undone"}
    _, (picture,) = ledger.form_pictures.page(10)
    assert (picture.n_documents, picture.decided_by, picture.decided_at) == (4, "kim", NOW)


def test_a_decision_stands_until_the_next_one(ledger):
    a, b, c = _seal(ledger, "m1", "m2", "m3")
    ledger.form_pictures.add([_pair(b, a, 0.1), _pair(c, a, 0.1)], RULE)
    _, (picture,) = ledger.form_pictures.page(10)

    ledger.form_pictures.decide(picture.picture_id, "confirmed", "kim", NOW)
    ledger.form_pictures.add([_pair(c, b, 0.1)], RULE)
    ledger.form_pictures.settle(RULE)

    assert _state(ledger, a) == ("confirmed", "confirmation")
    with pytest.raises(InputError, match=f"Picture {picture.picture_id} is confirmed already, by kim"):
        ledger.form_pictures.decide(picture.picture_id, "confirmed", "lee", NOW)
    ledger.form_pictures.decide(picture.picture_id, "undone", "lee", NOW)
    assert _state(ledger, b)[0] == "undone"
    with pytest.raises(InputError, match="no picture 999"):
        ledger.form_pictures.decide(999, "confirmed", "kim", NOW)


def test_a_photo_that_is_cut_anew_is_another_one(ledger):
    a, b = _seal(ledger, "m1", "m2")
    ledger.form_pictures.add([_pair(b, a, 0.9, "graphics")], RULE)
    elsewhere = PagePlace(0, Box(500, 20, 700, 90), (1000, 1400))

    ledger.form_pictures.add([_pair(b, a, 0.1, place=elsewhere)], RULE)

    assert {_state(ledger, row) for row in (a, b)} == {("watched", None)}


def test_forgotten_and_replaced_documents_count_no_longer(ledger):
    a, b, c = _seal(ledger, "m1", "m2", "m3")
    ledger.form_pictures.add([_pair(b, a, 0.9), _pair(c, a, 0.9)], RULE)
    assert _state(ledger, b) == ("recognised", "frequency")

    changed = ledger.form_pictures.forget([a], RULE)
    DocumentRemoval(ledger.database).remove(["d0"], ["s1"], [], [])

    assert changed
    assert _state(ledger, a) is None
    assert {_state(ledger, row) for row in (b, c)} == {("watched", None)}
    newer = ArrivedFile("/in/d1.tif", "d1.tif", "d1", 2, 2, date=DocumentDate(date(2024, 2, 1), "name"))
    key = ledger.intake.seal([newer], source="test", now=NOW, chunk_documents=10)
    (arrived,) = ledger.documents.of_chunk(key, range(10))
    ledger.documents.record_read([ReadOutcome(arrived.id, "new", "ok", None, None, 1)])
    ledger.form_pictures.forget_superseded(["d1"], RULE)
    assert (_state(ledger, b), _state(ledger, c)) == (None, ("watched", None))
    ledger.form_pictures.forget([c], RULE)
    assert ledger.form_pictures.photos_of([1]) == []
    assert ledger.form_pictures.settle(RULE) == set()


def test_page_sizes_are_noted_by_content_and_forgotten_with_it(ledger):
    ledger.page_sizes.remember({("s1", 0): (100, 200), ("s1", 2): (300, 400), ("s2", 0): (5, 6)})
    ledger.page_sizes.remember({("s1", 0): (101, 200)})

    assert ledger.page_sizes.of(["s1", "s2", "s3"]) == {("s1", 0): (101, 200), ("s2", 0): (5, 6)}
    DocumentRemoval(ledger.database).remove([], ["s1"], [], [])
    assert ledger.page_sizes.of(["s1"]) == {}
