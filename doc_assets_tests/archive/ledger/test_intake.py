from dataclasses import replace
from datetime import date, timedelta

from doc_assets.archive.ledger.intake import ArrivedFile, InboxEntry
from doc_assets.datatypes import DocumentDate
from doc_assets_tests.conftest import NOW


def _file(name, size=10):
    return ArrivedFile(f"/inbox/{name}.tif", f"{name}.tif", name, size, 1)


def test_the_inbox_is_remembered_changed_and_forgotten(ledger):
    entries = [InboxEntry(f"/inbox/{i}.tif", i, i, NOW) for i in range(3)]
    ledger.intake.update_inbox(entries, [])
    later = InboxEntry("/inbox/1.tif", 99, 99, NOW + timedelta(seconds=5))

    ledger.intake.update_inbox([later], ["/inbox/0.tif"])

    assert ledger.intake.inbox() == {"/inbox/1.tif": later, "/inbox/2.tif": entries[2]}


def test_sealing_makes_a_drop_of_pending_documents_and_marks_the_files(ledger):
    ledger.intake.update_inbox([InboxEntry("/inbox/a.tif", 10, 1, NOW), InboxEntry("/inbox/b.tif", 10, 1, NOW)], [])

    key = ledger.intake.seal([_file("a")], source="inbox", now=NOW, chunk_documents=2)

    assert key == "20261121-0930-0001"
    assert ledger.intake.inbox()["/inbox/a.tif"].drop_key == key
    assert ledger.intake.inbox()["/inbox/b.tif"].drop_key is None
    (document,) = ledger.documents.of_chunk(key, range(10))
    assert (document.document_id, document.state, document.is_current) == ("a", "pending", False)


def test_drop_keys_are_unique_and_sort_in_order_of_sealing(ledger):
    keys = [
        ledger.intake.seal([_file("a")], source="x", now=NOW + timedelta(minutes=i // 3), chunk_documents=1)
        for i in range(7)
    ]
    bulk = [ledger.intake.seal([_file("a")], source="x", now=NOW, chunk_documents=1, bulk=True) for _ in range(2)]

    assert keys == sorted(set(keys))
    assert keys[3] == "20261121-0931-0001"
    assert bulk == ["bulk-000001", "bulk-000002"]
    assert set(ledger.intake.drop_keys()) == {*keys, *bulk}


def test_chunks_are_fixed_when_the_drop_is_sealed(ledger):
    key = ledger.intake.seal([_file(str(i)) for i in range(5)], source="x", now=NOW, chunk_documents=2)

    assert ledger.documents.chunks(key) == [range(0, 2), range(2, 4), range(4, 5)]


def test_a_document_keeps_its_date_and_without_one_the_day_of_its_first_arrival(ledger):
    def seal(*files, days):
        key = ledger.intake.seal(files, source="x", now=NOW + timedelta(days=days), chunk_documents=9)
        return {each.document_id: each.date for each in ledger.documents.of_chunk(key, range(9))}

    def arrived(days):
        return DocumentDate((NOW + timedelta(days=days)).date(), "arrival")

    named = DocumentDate(date(2024, 1, 20), "name")

    assert seal(_file("a"), replace(_file("b"), date=named), days=1) == {"a": arrived(1), "b": named}
    assert seal(_file("a"), replace(_file("b"), date=arrived(5)), _file("c"), days=5) == {
        "a": arrived(1),
        "b": arrived(5),
        "c": arrived(5),
    }
    assert seal(replace(_file("a"), date=named), replace(_file("c"), date=arrived(0)), days=0) == {
        "a": named,
        "c": arrived(0),
    }


def test_what_a_key_table_said_of_a_date_stays_until_a_key_table_says_another(ledger):
    def seal(sealed_date):
        key = ledger.intake.seal([replace(_file("a"), date=sealed_date)], source="x", now=NOW, chunk_documents=9)
        return ledger.documents.of_chunk(key, range(9))[0].date

    first, second = (DocumentDate(date(2024, month, 1), "key_table") for month in (3, 2))
    named = DocumentDate(date(2024, 1, 20), "name")

    assert [seal(each) for each in (named, first, named, None, second, None)] == [
        named,
        first,
        first,
        first,
        second,
        second,
    ]
