from datetime import timedelta

from doc_assets.archive.ledger.collections import Collection
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.intake import ArrivedFile
from doc_assets.archive.ledger.queries import StageStatistics, read_statistics
from doc_assets.archive.ledger.rows import ReadOutcome
from doc_assets_tests.conftest import NOW


def test_an_empty_ledger_counts_nothing_and_knows_no_times(ledger):
    found = read_statistics(ledger.database)

    assert (found.documents, found.photos, found.not_indexed, found.drops, found.waiting) == (0, 0, 0, 0, 0)
    assert (found.last_sealed_at, found.waiting_since, found.arrivals, found.stages) == (None, None, {}, {})


def test_figures_are_those_of_current_documents_and_of_the_collection_in_use(ledger):
    files = [ArrivedFile(f"/in/{name}.tif", f"{name}.tif", name, 1, 1) for name in "abc"]
    drop = ledger.intake.seal(files, source="test", now=NOW, chunk_documents=10)
    a, b, c = ledger.documents.of_chunk(drop, range(3))
    ledger.documents.record_read(
        [
            ReadOutcome(a.id, "1", "ok", None, None, 2),
            ReadOutcome(b.id, "2", "partial", None, None, 1),
            ReadOutcome(c.id, None, "rejected", "E_NOT_TIFF", "no TIF", None),
        ]
    )
    ledger.documents.record_photos({a.id: 4, b.id: 1})
    for name, state in (("old", "previous"), ("new", "in_use")):
        ledger.collections.record(Collection(name, "gist", {}, state, NOW))
    ledger.collections.record_indexed([a.id, b.id], "old")
    ledger.collections.record_indexed([a.id], "new")
    later = NOW + timedelta(minutes=5)
    ledger.documents.complete_stage(drop, Stage("indexed_photos", "old", "1"), NOW)
    ledger.documents.complete_stage(drop, Stage("indexed_photos", "new", "1"), later)

    found = read_statistics(ledger.database)

    assert (found.documents, found.pages, found.photos, found.not_indexed) == (2, 3, 5, 1)
    assert found.arrivals == {("ok", ""): 1, ("partial", ""): 1, ("rejected", "E_NOT_TIFF"): 1}
    assert (found.drops, found.last_sealed_at) == (1, NOW)
    assert found.stages == {"indexed_photos": StageStatistics(1, 3, later)}
