from datetime import timedelta

import pytest
from upath import UPath

from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.sources.dates import DateRule
from doc_assets.sources.file_index import FileIndex
from doc_assets.sources.key_lookup import KeyState, Resolver
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyRow, KeyTable, keys_in
from doc_assets.sources.sources import Fetched, FolderSource, KeyedFolders, KeyFailedError, KeyProblem, SourceFile
from doc_assets_tests.conftest import NOW
from doc_assets_tests.key_outcomes import key_counts, key_problems


def _put(folder, *names, content=b"II*"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content + name.encode())


@pytest.fixture
def keyed(tmp_path):
    """A key table over a folder: one key with two files, one with one, one without."""
    _put(tmp_path / "in", "N7THA00100001_1.tif", "N7THA00100001_2.TIF", "N8THA00100001_1.tif", "other.tif")
    path = tmp_path / "keys.csv"
    path.write_text(
        "파일명,사업자등록번호,업종명\nN8THA00001,8,미용실\nN7THA00001,7,\nN9THA00001,9,\n,1,\n", encoding="utf-8"
    )
    with KeyTable.read(path) as table, FileIndex(tmp_path / "index.sqlite") as index:
        roots = (UPath(tmp_path / "in"),)
        index.refresh(roots)
        yield KeyedFolders(table, Resolver(index, roots, NameRule()))


def test_a_folder_is_sealed_once_and_what_changed_again(archive, tmp_path):
    _put(tmp_path / "a", "1.tif", "2.tif", "x.txt")
    _put(tmp_path / "a" / "deep", "3.tif")
    source, rules = FolderSource(UPath(tmp_path / "a")), SealingRules(drop_max_documents=2, chunk_documents=10)

    first = seal_source(archive, source, NOW, rules)
    second = seal_source(archive, source, NOW, rules)
    _put(tmp_path / "a", "2.tif", content=b"II* changed")
    third = seal_source(archive, source, NOW, rules)

    assert (len(first.origins), len(first.sealed)) == (3, 2)
    assert (second.sealed, second.drops) == ([], first.sealed)
    assert len(third.sealed) == 1
    assert [d.file_name for d in archive.ledger.documents.of_chunk(third.sealed[0], range(10))] == ["2.tif"]


def test_all_files_of_every_key_are_sealed_with_the_fields_of_its_row(archive, keyed):
    done = seal_source(archive, keyed, NOW, SealingRules())

    documents = archive.ledger.documents.of_chunk(done.sealed[0], range(10))
    assert [(d.document_id, d.merchant_id) for d in documents] == [
        ("N8THA00100001_1", "8"),
        ("N7THA00100001_1", "7"),
        ("N7THA00100001_2", "7"),
    ]
    assert documents[0].fields == {"업종명": "미용실", "사업자등록번호": "8"}
    assert done.source.startswith("key table keys.csv over ")


def test_keys_without_a_file_and_unusable_rows_are_accounted_for(archive, keyed):
    done = seal_source(archive, keyed, NOW, SealingRules())

    assert [(p.row.key, p.row.line, p.state) for p in done.problems] == [
        ("N9THA00001", 4, "missing"),
        ("line 5", 5, "unusable"),
    ]
    assert key_counts(archive.ledger, done.source) == {"found": 2, "missing": 1, "unusable": 1}
    assert archive.ledger.keys.found(done.source) == {"N7THA00001", "N8THA00001"}
    assert [outcome.key for outcome in key_problems(archive.ledger, done.source)] == ["N9THA00001", "line 5"]


def test_a_key_that_is_found_later_is_no_longer_a_problem(archive, keyed, tmp_path):
    first = seal_source(archive, keyed, NOW, SealingRules())
    _put(tmp_path / "in", "n9tha00100001_4.tif")
    keyed.resolver.index.refresh(keyed.resolver.roots)
    second = seal_source(archive, keyed, NOW, SealingRules())

    assert [d.document_id for d in archive.ledger.documents.of_chunk(second.sealed[0], range(10))] == [
        "n9tha00100001_4"
    ]
    assert key_counts(archive.ledger, first.source) == {"found": 3, "unusable": 1}
    assert set(second.drops) == {*first.sealed, *second.sealed}


def test_a_file_that_two_keys_name_is_sealed_once(archive, tmp_path):
    _put(tmp_path / "in", "A_1.tif")
    (tmp_path / "keys.csv").write_text("파일명\nA\nA_1\n", encoding="utf-8")
    with KeyTable.read(tmp_path / "keys.csv") as table, FileIndex(tmp_path / "index.sqlite") as index:
        roots = (UPath(tmp_path / "in"),)
        index.refresh(roots)
        done = seal_source(archive, KeyedFolders(table, Resolver(index, roots, NameRule())), NOW, SealingRules())

    assert len(archive.ledger.documents.of_chunk(done.sealed[0], range(10))) == 1
    assert key_counts(archive.ledger, done.source) == {"found": 2}


def test_objects_of_a_store_are_sealed_by_their_address(archive):
    folder = UPath("memory://bucket/drop")
    (folder / "a" / "x.tif").write_bytes(b"II* x")
    (folder / "y.TIFF").write_bytes(b"II* y")
    (folder / "y.txt").write_bytes(b"no")

    done = seal_source(archive, FolderSource(folder), NOW, SealingRules())
    flat = seal_source(archive, FolderSource(folder, recursive=False), NOW, SealingRules())

    documents = archive.ledger.documents.of_chunk(done.sealed[0], range(10))
    assert [(d.document_id, d.size_bytes) for d in documents] == [("x", 5), ("y", 5)]
    assert all(d.source_path.startswith("memory://") for d in documents)
    assert (len(flat.origins), flat.sealed) == (1, [])


def test_forgotten_documents_are_not_taken_and_nothing_is_noted_of_them(archive, keyed, tmp_path):
    archive.ledger.tombstones._key_file = tmp_path / "forgotten.key"
    archive.ledger.tombstones.add({"N7THA00100001_1": ["a" * 64]}, NOW)

    done = seal_source(archive, keyed, NOW, SealingRules())

    assert done.forgotten == ["N7THA00100001_1.tif"]
    documents = archive.ledger.documents.of_chunk(done.sealed[0], range(10))
    assert [d.document_id for d in documents] == ["N8THA00100001_1", "N7THA00100001_2"]


class _Answers:
    """A source whose key has two documents, the second of which may fail."""

    name = "answers"
    table = None

    def __init__(self, *, second_fails):
        self.second_fails = second_fails

    def files(self):
        row = KeyRow(2, "N7")
        second = SourceFile("N7: N7_2.tif", "http://host/images?filename=N7_2.tif", None, row, self._second)
        first = Fetched("N7_1.tif", b"II*1", "http://host/images?filename=N7", more=(second,))
        yield SourceFile("N7", first.origin, None, row, lambda _: first)

    def _second(self, _max_bytes):
        if self.second_fails:
            raise KeyFailedError(KeyProblem(KeyRow(2, "N7"), KeyState.FAILED, "no answer", "corr-1"))
        return Fetched("N7_2.tif", b"II*2", "http://host/images?filename=N7_2.tif")


def test_a_key_is_found_only_when_all_its_documents_were_had(archive):
    first = seal_source(archive, _Answers(second_fails=True), NOW, SealingRules())
    (problem,) = key_problems(archive.ledger, "answers")
    second = seal_source(archive, _Answers(second_fails=False), NOW, SealingRules())

    assert (len(first.origins), first.problems[0].row.key) == (1, "N7")
    assert (problem.state, problem.correlation_id, problem.n_files) == ("failed", "corr-1", 1)
    assert (len(second.origins), len(second.sealed), second.problems) == (2, 1, [])
    assert key_counts(archive.ledger, "answers") == {"found": 1}
    assert archive.ledger.intake.sealed_from("answers") == dict(
        zip(second.origins, [first.sealed[0], second.sealed[0]], strict=True)
    )


def _dated(archive, drop):
    return {
        document.document_id: (document.merchant_id, str(document.document_date), document.date_source)
        for document in archive.ledger.documents.of_chunk(drop, range(20))
    }


def _told(folder, table, archive, now=NOW, **rules):
    source = FolderSource(UPath(folder), key_of=keys_in(table))
    return seal_source(archive, source, now, SealingRules(**rules))


def test_a_key_table_that_comes_later_tells_merchant_and_date_of_what_is_there(archive, tmp_path):
    _put(tmp_path / "in", "a.tif", "b.tif", "N2024012000066THA00100001_8.tif")
    table = tmp_path / "keys.csv"
    table.write_text("파일명,사업자등록번호,수신일자\na,1,2024. 3. 1.\nb,,2024-13-45\n", encoding="utf-8")
    later = NOW + timedelta(days=9)

    (drop,) = _told(tmp_path / "in", None, archive).sealed
    before = _dated(archive, drop)
    told = _told(tmp_path / "in", table, archive, later)
    after = _dated(archive, drop)
    untold = _told(tmp_path / "in", None, archive, later)

    named = (None, "2024-01-20", "name")
    arrived = (None, "2026-11-21", "arrival")
    assert before == {"a": arrived, "b": arrived, "N2024012000066THA00100001_8": named}
    assert after == before | {"a": ("1", "2024-03-01", "key_table")} == _dated(archive, drop)
    assert (told.sealed, told.drops, told.described) == ([], [drop], ["a.tif", "b.tif"])
    assert told.date_faults == [
        "line 3, b: its 수신일자 '2024-13-45' is no day of the calendar; wanted is a day such as 2024-01-20"
    ]
    assert (untold.described, untold.date_faults) == ([], [])


def test_another_pattern_of_names_counts_for_what_is_there(archive, tmp_path):
    _put(tmp_path / "in", "N2024012000066THA00100001_8.tif", "b20230115x.tif")
    none, other = DateRule(name_patterns=("(?!)",)), DateRule(name_patterns=("b([0-9]{8})",))
    later = NOW + timedelta(days=9)

    (drop,) = _told(tmp_path / "in", None, archive).sealed
    described = [_told(tmp_path / "in", None, archive, later, dates=rule).described for rule in (none, other)]

    assert described == [["N2024012000066THA00100001_8.tif", "b20230115x.tif"], ["b20230115x.tif"]]
    assert _dated(archive, drop) == {
        "N2024012000066THA00100001_8": (None, "2026-11-21", "arrival"),
        "b20230115x": (None, "2023-01-15", "name"),
    }
