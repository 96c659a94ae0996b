import os
from datetime import timedelta
from pathlib import Path

import pytest

from doc_assets.archive.ledger.intake import InboxEntry
from doc_assets.errors import FolderUnreachableError
from doc_assets.pipeline.intake import IntakeRules, WaitState, decide, look, preview
from doc_assets.sources.folders import FileStat, FolderListing
from doc_assets.sources.key_tables.table import KeyRow
from doc_assets_tests.conftest import NOW

RULES = IntakeRules(settle_s=10, drop_max_documents=3, drop_max_age_s=60, chunk_documents=2)


def _put(folder: Path, *names: str, content: bytes = b"II*") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)


def _after(seconds):
    return NOW + timedelta(seconds=seconds)


def test_a_file_is_sealed_once_it_stood_still_and_its_drop_aged(ledger, tmp_path):
    _put(tmp_path / "in", "a.tif")

    first = look(ledger, tmp_path / "in", RULES, NOW)
    early = look(ledger, tmp_path / "in", RULES, _after(5))
    settled = look(ledger, tmp_path / "in", RULES, _after(11))
    aged = look(ledger, tmp_path / "in", RULES, _after(61))
    later = look(ledger, tmp_path / "in", RULES, _after(200))

    assert [report.sealed for report in (first, early, settled, later)] == [()] * 4
    assert (early.settling, settled.waiting, later.waiting) == (1, 1, 0)
    assert len(aged.sealed) == 1


def test_a_growing_file_is_not_taken(ledger, tmp_path):
    path = tmp_path / "in" / "a.tif"
    for i in range(10):
        _put(tmp_path / "in", "a.tif", content=b"II*" * (i + 1))
        os.utime(path, ns=(i, i))
        assert look(ledger, tmp_path / "in", RULES, _after(20 * i)).sealed == ()

    assert look(ledger, tmp_path / "in", RULES, _after(260)).sealed


def test_full_drops_do_not_wait_and_the_rest_does(ledger, tmp_path):
    _put(tmp_path / "in", *(f"{i}.tif" for i in range(8)))
    look(ledger, tmp_path / "in", RULES, NOW)

    report = look(ledger, tmp_path / "in", RULES, _after(11))

    assert len(report.sealed) == 2
    assert report.waiting == 2
    sizes = [len(ledger.documents.of_chunk(key, range(10))) for key in report.sealed]
    assert sizes == [3, 3]


def test_a_backlog_is_sealed_a_few_drops_at_a_time(ledger, tmp_path):
    rules = IntakeRules(settle_s=0, drop_max_documents=2, drop_max_age_s=0, drops_per_look=3)
    _put(tmp_path / "in", *(f"{i}.tif" for i in range(11)))
    look(ledger, tmp_path / "in", rules, NOW)

    counts = [len(look(ledger, tmp_path / "in", rules, _after(i)).sealed) for i in (1, 2, 3)]

    assert counts == [3, 3, 0]


def test_new_bytes_under_an_old_name_arrive_again(ledger, tmp_path):
    rules = IntakeRules(settle_s=0, drop_max_age_s=0)
    _put(tmp_path / "in", "a.tif")
    look(ledger, tmp_path / "in", rules, NOW)
    assert look(ledger, tmp_path / "in", rules, _after(1)).sealed
    assert not look(ledger, tmp_path / "in", rules, _after(2)).sealed

    _put(tmp_path / "in", "a.tif", content=b"II* another version")
    look(ledger, tmp_path / "in", rules, _after(3))

    assert look(ledger, tmp_path / "in", rules, _after(4)).sealed


def test_an_unreachable_folder_changes_nothing(ledger, tmp_path):
    _put(tmp_path / "in", "a.tif")
    look(ledger, tmp_path / "in", RULES, NOW)
    before = ledger.intake.inbox()
    (tmp_path / "in").rename(tmp_path / "away")

    with pytest.raises(FolderUnreachableError):
        look(ledger, tmp_path / "in", RULES, _after(100))

    assert ledger.intake.inbox() == before


def test_a_vanished_file_is_forgotten_but_not_one_that_cannot_be_seen():
    known = {path: InboxEntry(path, 1, 1, NOW) for path in ("/in/a.tif", "/in/closed/b.tif")}

    decision = decide(FolderListing({}, ["/in/closed"]), known, RULES, NOW)

    assert decision.gone == ["/in/a.tif"]


def test_a_clock_set_back_only_delays():
    listing = FolderListing({"/in/a.tif": FileStat(1, 1)})
    known = {"/in/a.tif": InboxEntry("/in/a.tif", 1, 1, _after(3600))}

    decision = decide(listing, known, RULES, NOW)

    assert decision.drops == []
    assert decision.changed == [InboxEntry("/in/a.tif", 1, 1, NOW)]


def test_times_in_the_future_or_the_past_do_not_matter(ledger, tmp_path):
    rules = IntakeRules(settle_s=0, drop_max_age_s=0)
    _put(tmp_path / "in", "old.tif", "new.tif")
    os.utime(tmp_path / "in" / "old.tif", (0, 0))
    os.utime(tmp_path / "in" / "new.tif", (4e9, 4e9))
    look(ledger, tmp_path / "in", rules, NOW)

    (key,) = look(ledger, tmp_path / "in", rules, _after(1)).sealed

    assert len(ledger.documents.of_chunk(key, range(10))) == 2


def test_a_large_backlog_is_sealed_a_few_drops_a_look(ledger, tmp_path):
    _put(tmp_path / "in", *(f"N{i:05d}.tif" for i in range(900)))
    rules = IntakeRules(settle_s=0, drop_max_documents=100, drops_per_look=4)

    sealed = [len(look(ledger, tmp_path / "in", rules, _after(i)).sealed) for i in range(5)]

    assert sealed == [0, 4, 4, 1, 0]
    assert len(ledger.intake.drop_keys()) == 9


def test_dropped_files_are_dated_by_key_table_name_and_arrival(ledger, tmp_path):
    rows = {"a": KeyRow(2, "a", "1", {"수신일자": "2024. 3. 1."}), "b": KeyRow(3, "b", "1", {"수신일자": "미상"})}
    _put(tmp_path / "in", "a.tif", "b.tif", "N2024012000066THA00100001_8.tif")
    late = NOW.replace(hour=16)  # the next day in Korea

    look(ledger, tmp_path / "in", RULES, late, rows.get)
    report = look(ledger, tmp_path / "in", RULES, late + timedelta(seconds=11), rows.get)

    (drop,) = report.sealed
    dated = {d.document_id: (str(d.document_date), d.date_source) for d in ledger.documents.of_chunk(drop, range(9))}
    assert dated == {
        "a": ("2024-03-01", "key_table"),
        "b": ("2026-11-22", "arrival"),
        "N2024012000066THA00100001_8": ("2024-01-20", "name"),
    }
    assert report.date_faults == ("b.tif: its 수신일자 '미상' is no date; wanted is a day such as 2024-01-20",)


def test_what_waits_says_until_when(ledger, tmp_path):
    folder = tmp_path / "in"
    _put(folder, *(f"{i}.tif" for i in range(4)))
    assert {wait.until for wait in look(ledger, folder, RULES, NOW).waits} == {_after(10)}

    before = preview(ledger, folder, RULES, _after(20))
    after = look(ledger, folder, RULES, _after(20))
    late = preview(ledger, folder, RULES, _after(61))

    assert [wait.state for wait in before.waits] == [WaitState.READY] * 3 + [WaitState.FILLING]
    assert [(Path(wait.path).name, wait.until) for wait in after.waits] == [("3.tif", _after(60))]
    assert [(wait.state, wait.until) for wait in late.waits] == [(WaitState.READY, _after(61))]
    assert len(after.sealed) == 1
