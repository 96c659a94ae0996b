from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.archive.ledger.groups import StoredLink
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import ReadOutcome
from doc_assets.datatypes import DocumentDate
from doc_assets_tests.conftest import NOW
from doc_assets_tests.results import a_pair

WHOLE = (0.0, 0.0, 1.0, 1.0)


def _seal(ledger, *names):
    """Documents named after their merchant and the day of January 2024 they are from: ``m1-5``."""
    files = [
        ArrivedFile(
            f"/in/{name}.tif", f"{name}.tif", name, 1, 1, merchant_id=name.split("-")[0],
            date=DocumentDate(date(2024, 1, int(name.split("-")[1])), "name"),
        )
        for name in names
    ]  # fmt: skip
    key = ledger.intake.seal(files, source="test", now=NOW, chunk_documents=10)
    documents = ledger.documents.of_chunk(key, range(100))
    ledger.documents.record_read([ReadOutcome(each.id, f"s{each.id}", "ok", None, None, 1) for each in documents])
    return [document.id for document in documents]


def _link(query, found, probability=0.9):
    return StoredLink((query, 0), (found, 0), probability, WHOLE, WHOLE, a_pair())


def _groups(ledger, rows):
    """Sets of rows that are in one group."""
    sets = {}
    for (row, _), group in ledger.groups.of_rows(rows).items():
        sets.setdefault(group, set()).add(row)
    return sorted(map(sorted, sets.values()))


def test_links_make_groups_and_groups_that_meet_become_one(ledger):
    a, b, c, d = _seal(ledger, "m1-1", "m2-2", "m3-3", "m3-4")

    assert ledger.groups.replace([b], [_link(b, a)], 0.5) == {a, b}
    assert ledger.groups.replace([d], [_link(d, c)], 0.5) == {c, d}
    assert _groups(ledger, [a, b, c, d]) == [[a, b], [c, d]]
    first = min(ledger.groups.of_rows([a, d]).values())
    assert ledger.groups.replace([c], [_link(c, b)], 0.5) == {a, b, c, d}

    (met,) = set(ledger.groups.of_rows([a, b, c, d]).values())
    assert met == first
    assert _groups(ledger, [a, b, c, d]) == [[a, b, c, d]]
    total, (group,) = ledger.groups.page(10)
    assert (total, group.n_photos, group.n_documents, group.n_merchants) == (1, 4, 4, 3)
    assert group.first_date == date(2024, 1, 1)
    members = ledger.groups.members([met])
    assert (members[0].document, members[0].merchant_id, members[0].photo) == ("m1-1.tif", "m1", 0)
    assert [m.document_date.day for m in members] == [1, 2, 3, 4]


def test_groups_of_most_merchants_come_first(ledger):
    a, b, c, d, e = _seal(ledger, "m1-1", "m1-2", "m1-3", "m2-4", "m3-5")
    ledger.groups.replace([b, c], [_link(b, a), _link(c, a)], 0.5)
    ledger.groups.replace([e], [StoredLink((e, 1), (d, 1), 0.8, WHOLE, WHOLE, None)], 0.5)

    _, groups = ledger.groups.page(10)

    assert [(group.n_merchants, group.n_documents) for group in groups] == [(2, 2), (1, 3)]
    assert ledger.groups.page(1, 1) == (2, groups[1:])


def test_searching_a_document_again_replaces_what_was_found_for_it(ledger):
    a, b, c = _seal(ledger, "m1-1", "m2-2", "m3-3")
    ledger.groups.replace([b], [_link(b, a), _link(b, c)], 0.5)

    touched = ledger.groups.replace([b], [_link(b, c)], 0.5)

    assert _groups(ledger, [a, b, c]) == [[b, c]]
    assert touched == {a, b, c}
    groups = set(ledger.groups.of_rows([b]).values())
    assert [link.found for link in ledger.groups.links(groups, 0.5)] == [(c, 0)]
    assert ledger.groups.replace([b], [], 0.5) == {b, c}
    assert ledger.groups.page(10) == (0, [])


def test_links_below_the_threshold_are_kept_and_join_when_it_falls(ledger):
    a, b, c = _seal(ledger, "m1-1", "m2-2", "m3-3")
    ledger.groups.replace([b, c], [_link(b, a), _link(c, b, 0.3)], 0.5)
    assert _groups(ledger, [a, b, c]) == [[a, b]]

    ledger.groups.regroup(0.2)
    assert _groups(ledger, [a, b, c]) == [[a, b, c]]
    ledger.groups.regroup(0.95)

    assert _groups(ledger, [a, b, c]) == []
    assert ledger.groups.page(10) == (0, [])


def test_a_version_that_was_replaced_leaves_its_group(ledger):
    a, b, c = _seal(ledger, "m1-1", "m2-2", "m3-3")
    ledger.groups.replace([b, c], [_link(b, a), _link(c, b)], 0.5)
    (newer,) = _seal(ledger, "m2-2")

    ledger.groups.forget_superseded(["m2-2"], 0.5)

    assert _groups(ledger, [a, b, c, newer]) == []


def test_forgetting_splits_a_group_and_leaves_no_row(ledger):
    a, b, c, d, e = _seal(ledger, "m1-1", "m2-2", "m3-3", "m4-4", "m5-5")
    ledger.groups.replace([b, d, c, e], [_link(b, a), _link(d, c), _link(e, b), _link(e, c)], 0.5)
    assert _groups(ledger, [a, b, c, d, e]) == [[a, b, c, d, e]]

    touched = ledger.groups.forget([e], 0.5)
    DocumentRemoval(ledger.database).remove(["m5-5"], [], [], [])

    assert _groups(ledger, [a, b, c, d, e]) == [[a, b], [c, d]]
    assert touched == {a, b, c, d}
    assert {group.n_documents for group in ledger.groups.page(10)[1]} == {2}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('groups') / 'ledger.sqlite'}") as ledger:
        yield ledger, _seal(ledger, *(f"m{n}-{n + 1}" for n in range(8)))


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=14)


@pytest.mark.whole
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sets(st.integers(0, 7)), EDGES), max_size=5))
def test_groups_kept_step_by_step_are_those_made_at_once(shared, steps):
    ledger, rows = shared
    ledger.groups.forget(rows, 0.5)
    for again, edges in steps:
        links = [_link(rows[one], rows[other], 0.9 if strong else 0.2) for one, other, strong in edges if one != other]
        ledger.groups.replace({*(rows[n] for n in again), *(link.query[0] for link in links)}, links, 0.5)

    step_by_step = (
        _groups(ledger, rows),
        sorted((g.n_photos, g.n_documents, g.n_merchants, g.first_date) for g in ledger.groups.page(99)[1]),
    )
    ledger.groups.regroup(0.5)
    at_once = (
        _groups(ledger, rows),
        sorted((g.n_photos, g.n_documents, g.n_merchants, g.first_date) for g in ledger.groups.page(99)[1]),
    )

    assert step_by_step == at_once
