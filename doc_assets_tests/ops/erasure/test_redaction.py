from dataclasses import replace

import pytest

from doc_assets.archive.ledger.results import ChangedFinding
from doc_assets.ops.erasure.run import is_about, notes_without, redacted
from doc_assets_tests.results import a_found, a_pair, a_result


def test_a_forgotten_document_is_no_longer_among_what_was_found():
    result = a_result(a_found(a_pair(), document="a.tif"), a_found(a_pair(), document="b.tif"))

    assert [found.document for found in redacted(result, {"a"}).top_docs] == ["b.tif"]


def test_a_result_without_the_document_stays_as_it_is():
    result = a_result(a_found(a_pair(), document="a.tif"))

    assert redacted(result, {"b"}) is result


def test_notes_of_changed_findings_are_dropped_with_the_document():
    notes = [
        ChangedFinding(name, "d", None, "reuse", 0.0, 1.0, flagged=True) for name in ("a.tif", "a.tif (2)", "b.tif")
    ]

    assert [note.document for note in notes_without(notes, {"a"})] == ["b.tif"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("a.tif", True),
        ("sub/a.TIF", True),
        ("a.tif (3)", True),
        ("/x/a.tif", True),
        ("aa.tif", False),
        ("b.tif", False),
    ],
)
def test_a_query_is_known_by_its_name_in_the_results(label, expected):
    assert is_about(replace(a_result(), query_document=label), {"a"}) is expected
