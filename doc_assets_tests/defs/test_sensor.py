import json
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import pytest

from doc_assets.definitions import defs
from doc_assets.defs.failed_drops import failed_drops
from doc_assets.defs.step import INTERACTIVE_TAG
from doc_assets.errors import FolderUnreachableError
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings
from doc_assets_tests.conftest import NOW

pytestmark = pytest.mark.whole


@pytest.fixture
def tick(monkeypatch, tmp_path):
    """Evaluates the sensor once against one Dagster instance; files count as settled at the second look."""
    monkeypatch.setenv("DOC_ASSETS_INTAKE_SETTLE_S", "0")
    monkeypatch.setenv("DOC_ASSETS_DROP_MAX_AGE_S", "0")
    settings = load_settings()
    settings.inbox_dir.mkdir(parents=True)
    sensor = next(s for s in defs().sensors if s.name == "new_tif_sensor")
    with dg.DagsterInstance.ephemeral() as instance:

        def evaluate(cursor=None, *, persist=True):
            with dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs()) as context:
                result = sensor(context, runtime=Runtime(settings))
            if persist:
                for request in result.dynamic_partitions_requests or []:
                    instance.add_dynamic_partitions("drops", request.partition_keys)
            return result

        evaluate.inbox = settings.inbox_dir
        evaluate.instance = instance
        yield evaluate


def _keys(result):
    return [request.partition_key for request in result.run_requests or []]


def test_new_files_become_a_drop_with_a_partition_and_a_run(tick):
    (tick.inbox / "a.tif").write_bytes(b"II*")
    assert _keys(tick()) == []

    result = tick()

    (key,) = _keys(result)
    assert result.dynamic_partitions_requests[0].partition_keys == [key]
    assert result.run_requests[0].run_key == f"{key}:1"
    assert json.loads(result.cursor)["last_drop"] == key


def test_nothing_new_is_skipped_with_its_reason(tick):
    (tick.inbox / "a.tif").write_bytes(b"II*")
    first = tick()
    tick()
    later = tick()

    assert "1 still being written" in first.skip_reason.skip_message
    assert "1 documents in" in later.skip_reason.skip_message


def test_a_lost_tick_or_cursor_loses_no_drop(tick):
    (tick.inbox / "a.tif").write_bytes(b"II*")
    tick()
    lost = tick(persist=False)  # the daemon died before it stored what the tick asked for

    again = tick(cursor=None)

    assert _keys(again) == _keys(lost) != []
    assert _keys(tick()) == []


def test_an_unreachable_folder_turns_the_tick_red(tick):
    shutil.rmtree(tick.inbox)

    with pytest.raises(FolderUnreachableError, match="cannot be listed"):
        tick()


def test_the_schedule_asks_for_drops_that_are_missing_something(tick, tmp_path):
    (tick.inbox / "a.tif").write_bytes(b"II*")
    tick()
    (key,) = _keys(tick())
    schedule = next(s for s in defs().schedules if s.name == "nightly_reindex_schedule")
    asked = {"runtime": Runtime(load_settings())}
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        tomorrow = NOW + timedelta(days=1)
        # Resources given to the call instead would make a second context, which nobody closes.
        with dg.build_schedule_context(instance, tomorrow, resources=asked) as context:
            requests = schedule(context)

        assert [(r.partition_key, r.run_key) for r in requests] == [(key, f"{key}:20261122")]
        assert instance.get_dynamic_partitions("drops") == [key]


def test_the_tick_counts_what_is_ignored_and_what_waits_and_names_nothing(tick):
    for name in ("a.tif", "note.docx", ".hidden.tif", "b.tif.part", "x\x1b\u202e.txt"):
        (tick.inbox / name).write_bytes(b"II*")
    (tick.inbox / "link.tif").symlink_to("/etc/passwd")

    message = tick().skip_reason.skip_message

    assert "1 are not taken yet, the last until" in message
    assert "5 are ignored: " in message
    for reason in ("1 hidden", "1 unfinished", "1 a link, which is not followed", "1 no document by its ending .docx"):
        assert reason in message
    assert "`doc-assets status` names them" in message
    for name in ("a.tif", "note", "b.tif", "link.tif", "\\u202e"):
        assert name not in message


# --- drops whose run failed


@pytest.fixture
def failing(tick):
    """Runs of one sealed drop that end as the test says; a look at the clock of the test asks for what is due."""
    (tick.inbox / "a.tif").write_bytes(b"II*")
    tick()
    (key,) = _keys(tick())
    instance = tick.instance
    job = defs().resolve_job_def("ingest_drop_job")

    def run(status=dg.DagsterRunStatus.FAILURE, **tags):
        made = instance.create_run_for_job(job, tags={"dagster/partition": key, **tags})
        if status is dg.DagsterRunStatus.FAILURE:
            instance.report_run_failed(made)
        return made.run_id

    def due_after(pause=timedelta(), sealed=(key,)):
        requests = failed_drops(instance, sealed, datetime.now(UTC) + pause)
        assert [r.partition_key for r in requests] in ([], [key])
        return [r.run_key for r in requests]

    return SimpleNamespace(key=key, run=run, due_after=due_after)


def test_a_drop_whose_run_failed_is_asked_for_again_when_its_pause_is_over(failing):
    run_id = failing.run()

    assert failing.due_after(timedelta(seconds=50)) == []
    assert failing.due_after(timedelta(seconds=61)) == [f"{failing.key}:after:{run_id}"]
    assert failing.due_after(timedelta(seconds=61), sealed=()) == []  # the ledger has no such drop (any more)


def test_the_sensor_asks_for_failed_drops(failing, tick, monkeypatch):
    run_id = failing.run()
    monkeypatch.setattr("doc_assets.defs.failed_drops._PAUSES", [timedelta()])

    result = tick()

    assert [r.run_key for r in result.run_requests] == [f"{failing.key}:after:{run_id}"]
    assert not result.dynamic_partitions_requests


def test_pauses_grow_and_end(failing):
    for minutes in (1, 5, 30, 120, 480):
        failing.run()
        assert failing.due_after(timedelta(minutes=minutes, seconds=-10)) == []
        assert len(failing.due_after(timedelta(minutes=minutes, seconds=10))) == 1

    failing.run()
    assert failing.due_after(timedelta(hours=20)) == []


def test_another_run_of_the_drop_ends_the_asking(failing):
    failing.run()
    failing.run(status=dg.DagsterRunStatus.NOT_STARTED)

    assert failing.due_after(timedelta(hours=1)) == []


@pytest.mark.parametrize("tag", [{"dagster/will_retry": "true"}, {INTERACTIVE_TAG: "true"}], ids=["retried", "person"])
def test_runs_that_others_look_after_are_left_to_them(failing, tag):
    failing.run(**tag)

    assert failing.due_after(timedelta(hours=1)) == []
