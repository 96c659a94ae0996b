import shutil
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.rows import Document, ReadOutcome
from doc_assets.archive.ledger.schema import DocumentRow
from doc_assets_tests.conftest import NOW


def _seal(ledger, *names):
    files = [ArrivedFile(f"/in/{name}.tif", f"{name}.tif", name, 1, 1) for name in names]
    key = ledger.intake.seal(files, source="test", now=NOW, chunk_documents=10)
    return key, ledger.documents.of_chunk(key, range(100))


def _read(ledger, documents, state="ok", sha="s"):
    ledger.documents.record_read(
        [ReadOutcome(document.id, f"{sha}-{document.id}", state, None, None, 1) for document in documents]
    )


def _current(ledger):
    return {document.document_id: document.drop_key for document in ledger.documents.current()}


def test_the_newest_readable_arrival_is_current(ledger):
    first, documents = _seal(ledger, "a", "b")
    second, newer = _seal(ledger, "a")
    _read(ledger, documents)
    assert _current(ledger) == {"a": first, "b": first}

    _read(ledger, newer)

    assert _current(ledger) == {"a": second, "b": first}
    assert ledger.documents.chunks_superseded_by(second, range(1)) == [(first, range(0, 2))]
    assert ledger.documents.counts().superseded == 1


def test_an_unreadable_new_version_does_not_hide_the_old_one(ledger):
    first, documents = _seal(ledger, "a")
    _, newer = _seal(ledger, "a")
    _read(ledger, documents)

    _read(ledger, newer, state="rejected")

    assert _current(ledger) == {"a": first}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)))
def test_drops_may_be_processed_in_any_order(tmp_path_factory, empty_ledger, order):
    from doc_assets.archive.ledger.ledger import Ledger

    copy = shutil.copy(empty_ledger, tmp_path_factory.mktemp("order"))
    with Ledger.open(f"sqlite:///{copy}") as ledger:
        drops = [_seal(ledger, "a"), _seal(ledger, "a", "b"), _seal(ledger, "b"), _seal(ledger, "c")]
        for i in order:
            _read(ledger, drops[i][1])

        assert _current(ledger) == {"a": drops[1][0], "b": drops[2][0], "c": drops[3][0]}


def test_documents_are_found_by_the_digest_of_their_bytes(ledger):
    _, documents = _seal(ledger, "a", "b")
    ledger.documents.record_read([ReadOutcome(document.id, "same", "ok", None, None, 1) for document in documents])

    found = ledger.documents.current_with_sha256(["same", "other"])

    assert {name: [d.document_id for d in found[name]] for name in found} == {"same": ["a", "b"]}


def test_a_drop_is_stale_until_every_stage_is_done_with_the_wanted_version(ledger):
    key, _ = _seal(ledger, "a")
    wanted = [Stage("photos", "", "2"), Stage("embeddings", "gist", "3")]
    assert ledger.documents.stale_drops(wanted) == [key]

    ledger.documents.complete_stage(key, wanted[0], NOW)
    ledger.documents.complete_stage(key, Stage("embeddings", "gist", "2"), NOW)
    assert ledger.documents.stale_drops(wanted) == [key]

    ledger.documents.complete_stage(key, wanted[1], NOW)
    assert ledger.documents.stale_drops(wanted) == []

    ledger.documents.reopen(key)
    assert ledger.documents.stale_drops(wanted) == [key]


def test_what_one_target_was_made_with_does_not_touch_another(ledger):
    key, _ = _seal(ledger, "a")
    old, new = Stage("embeddings", "gist", "1"), Stage("embeddings", "dino", "1")

    ledger.documents.complete_stage(key, old, NOW)
    assert ledger.documents.stale_drops([new]) == [key]
    ledger.documents.complete_stage(key, new, NOW)

    assert ledger.documents.stale_drops([old]) == ledger.documents.stale_drops([new]) == []


def test_counts_add_up(ledger):
    _, documents = _seal(ledger, "a", "b", "c")
    _read(ledger, documents[:2])
    ledger.documents.record_photos({documents[0].id: 2, documents[1].id: 3})
    counts = ledger.documents.counts()

    assert counts.arrivals_by_state == {"ok": 2, "pending": 1}
    assert (counts.current, counts.photos, counts.drops) == (2, 5, 1)


def test_an_unknown_drop_is_an_error(ledger):
    with pytest.raises(KeyError):
        ledger.documents.chunks("nothing")


def test_more_paths_than_a_statement_takes_are_no_problem(ledger):
    _seal(ledger, "a")

    assert ledger.documents.arrivals_at([f"/in/{i}.tif" for i in range(40_000)]) == {}
    assert list(ledger.documents.arrivals_at(["/in/a.tif"])) == ["/in/a.tif"]


def test_a_document_has_the_columns_of_its_table():
    assert [field.name for field in fields(Document)] == [column.name for column in DocumentRow.__table__.columns]


def test_more_documents_than_one_statement_takes_come_in_the_order_of_arrival(ledger):
    key, _ = _seal(ledger, *(f"d{number}" for number in range(1203)))
    documents = ledger.documents.of_chunk(key, range(1203))

    assert ledger.documents.with_row_ids([document.id for document in reversed(documents)]) == documents
    assert len(ledger.documents.arrivals([document.document_id for document in documents])) == 1203
    assert ledger.documents.with_row_ids([]) == []
