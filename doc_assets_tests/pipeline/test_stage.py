from types import SimpleNamespace

import pytest

from doc_assets.archive.ledger.documents import Stage
from doc_assets.errors import ServiceError
from doc_assets.pipeline.stage import PhotoStageReport, run_stage
from doc_assets.util.progress import watched_by
from doc_assets_tests.conftest import NOW

STAGE = Stage("photos", "", "1")


class Watcher:
    """Notes what it hears, in order."""

    def __init__(self, heard):
        self.heard = heard

    def start(self, what, total):
        self.heard.append(f"{total} {what}")

    def advance(self, what):
        self.heard.append("advance")

    def finish(self, what):
        self.heard.append("over")


def _archive(heard):
    """An archive of one drop of two chunks that notes what is filed."""
    documents = SimpleNamespace(complete_stage=lambda drop, stage, now: heard.append(f"{drop} {stage.name} completed"))
    return SimpleNamespace(chunks=lambda drop: [1, 2], ledger=SimpleNamespace(documents=documents))


def test_a_stage_is_completed_when_every_chunk_is_done_and_durable():
    heard = []
    with watched_by(Watcher(heard)):
        results = run_stage(
            _archive(heard), STAGE, "photos", "d", NOW, lambda chunk: 10 * chunk, finish=lambda: heard.append("durable")
        )

    assert results == [10, 20]
    assert heard == ["2 photos", "advance", "advance", "over", "durable", "d photos completed"]


def test_a_stage_of_which_a_chunk_fails_is_not_completed():
    def work(chunk):
        if chunk == 2:
            raise ServiceError("The disk is full.")

    heard = []
    with watched_by(Watcher(heard)), pytest.raises(ServiceError):
        run_stage(_archive(heard), STAGE, "photos", "d", NOW, work, finish=lambda: heard.append("durable"))

    assert heard == ["2 photos", "advance", "over"]


@pytest.mark.parametrize(
    ("report", "adds_up", "rate"),
    [
        (PhotoStageReport(photos=10, rows=10, made_now=0, left_out=0, seconds=0.0), True, 0.0),
        (PhotoStageReport(photos=10, rows=9, made_now=9, left_out=1, seconds=3.0), True, 3.0),
        (PhotoStageReport(photos=10, rows=8, made_now=8, left_out=1, seconds=2.0), False, 4.0),
    ],
)
def test_a_report_says_whether_every_photo_is_accounted_for(report, adds_up, rate):
    assert (report.adds_up, report.photos_per_second) == (adds_up, rate)
