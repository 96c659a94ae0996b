import json
import time
from pathlib import Path

import dagster as dg
import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.definitions import defs
from doc_assets.defs.intake import TABLE_TAG
from doc_assets.errors import FolderUnreachableError
from doc_assets.settings import load_settings

pytestmark = pytest.mark.whole


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("DOC_ASSETS_INTAKE_SETTLE_S", "0")
    monkeypatch.setenv("DOC_ASSETS_SEARCH_ROOTS", json.dumps([str(tmp_path / "archive")]))
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "N7THA00100001_3.tif").write_bytes(b"II*")
    settings = load_settings()
    (settings.key_inbox_dir / "ingest").mkdir(parents=True)
    (settings.key_inbox_dir / "search").mkdir()
    return settings


@pytest.fixture
def look(home):
    """Evaluates the sensor against one Dagster instance and can execute what it asks for."""
    sensor = next(s for s in defs().sensors if s.name == "key_table_sensor")
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None

        def evaluate():
            nonlocal cursor
            with dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs()) as context:
                result = sensor(context)
            cursor = result.cursor
            return result

        def execute(request):
            job = defs().resolve_job_def(request.job_name)
            return job.execute_in_process(
                run_config=request.run_config,
                instance=instance,
                tags={**request.tags},
                raise_on_error=False,
            )

        evaluate.execute, evaluate.instance = execute, instance
        yield evaluate


def _drop(home, text="파일명\nN7THA00001\n", purpose="ingest"):
    path = home.key_inbox_dir / purpose / "keys.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_that_stands_still_is_worked_off_and_renamed(look, home):
    path = _drop(home)
    first = look()
    (request,) = look().run_requests

    done = look.execute(request)
    after = look()

    assert first.run_requests == []
    assert request.job_name == "ingest_key_table_job"
    assert done.success
    assert not path.exists()
    assert path.with_name("keys.csv.done").exists()
    assert "is done" in after.skip_reason.skip_message
    with Ledger.open(home.ledger_address) as ledger:
        assert ledger.intake.drop_keys() == ["bulk-000001"]  # new_tif_sensor starts its run


def test_a_table_with_a_missing_document_stays_and_is_tried_again_later(look, home, monkeypatch):
    path = _drop(home, "파일명\nN7THA00001\nN8THA00001\n")
    look()
    (request,) = look().run_requests
    failed = look.execute(request)
    waiting = look()
    monkeypatch.setenv("DOC_ASSETS_KEY_RETRY_S", "1")
    time.sleep(1.1)
    (again,) = look().run_requests
    (Path(home.search_roots[0]) / "N8THA00100001_1.tif").write_bytes(b"II*")
    done = look.execute(again)
    look()

    assert not failed.success
    (failure,) = [event.step_failure_data for event in failed.all_events if event.is_step_failure]
    assert "lines 3 missing" in failure.user_failure_data.description
    assert "N8THA00001" not in failure.user_failure_data.description
    assert "tried again" in waiting.skip_reason.skip_message
    assert again.run_key != request.run_key
    assert done.success
    assert path.with_name("keys.csv.done").exists()


def test_a_changed_table_is_another_one(look, home):
    _drop(home)
    look()
    (request,) = look().run_requests
    look.execute(request)
    look()
    _drop(home, "파일명\nN7THA00001\n\n")
    look()
    (other,) = look().run_requests

    assert other.tags[TABLE_TAG] != request.tags[TABLE_TAG]


def test_a_table_in_the_other_folder_becomes_a_search(look, home):
    path = _drop(home, purpose="search")
    look()
    (request,) = look().run_requests

    assert request.job_name == "search_documents_job"
    config = request.run_config["ops"]["match_query_documents"]["config"]
    assert config == {"key_table": str(path)}


def test_a_folder_that_cannot_be_listed_turns_the_tick_red(look, home):
    (home.key_inbox_dir / "ingest").rmdir()
    (home.key_inbox_dir / "ingest").write_text("a file", encoding="utf-8")

    with pytest.raises((FolderUnreachableError, FileExistsError)):
        look()
