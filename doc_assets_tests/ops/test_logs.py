import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from doc_assets.ops.logs import LOG_NAME, formatter, log_to_file
from doc_assets.util.log_files import CLOSED_PATTERN, SharedFileHandler
from doc_assets_tests.shared import PROJECT

WRITER = """
import logging, sys
from doc_assets.ops.logs import log_to_file
from doc_assets.settings import load_settings
log_to_file(load_settings())
for i in range(400):
    logging.getLogger("doc_assets.test").info("%s line %d %s", sys.argv[1], i, "x" * 400)
"""


@pytest.fixture
def logger():
    made = logging.getLogger("doc_assets.test_logs")
    yield made
    for handler in list(logging.getLogger("doc_assets").handlers):
        logging.getLogger("doc_assets").removeHandler(handler)
        handler.close()


def lines_of(folder):
    paths = [*folder.glob(CLOSED_PATTERN), folder / LOG_NAME]
    return [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.whole
def test_four_processes_that_write_and_close_one_file_lose_and_tear_no_line(settings, monkeypatch):
    settings.log_dir.mkdir()
    monkeypatch.setenv("DOC_ASSETS_LOG_FORMAT", "json")
    monkeypatch.setenv("DOC_ASSETS_LOG_MAX_BYTES", "65536")

    writers = [subprocess.Popen([sys.executable, "-c", WRITER, f"writer{i}"], cwd=PROJECT) for i in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]

    messages = [json.loads(line)["message"] for line in lines_of(settings.log_dir)]
    assert len(messages) == len(set(messages)) == 1600
    closed = list(settings.log_dir.glob(CLOSED_PATTERN))
    assert len(closed) >= 8
    sizes = [path.stat().st_size for path in closed]
    assert min(sizes) >= 65536  # nobody closes what another process has just closed
    assert max(sizes) < 2 * 65536


def test_a_file_is_closed_at_midnight(tmp_path, logger):
    now = [datetime.now(UTC)]
    handler = SharedFileHandler(tmp_path / LOG_NAME, 1 << 20, clock=lambda: now[0])
    record = logging.LogRecord("a", logging.INFO, __file__, 1, "first", None, None)
    handler.emit(record)
    now[0] += timedelta(days=1)
    record.msg = "second"
    handler.emit(record)
    handler.close()

    (closed,) = tmp_path.glob(CLOSED_PATTERN)
    assert (closed.read_text(), (tmp_path / LOG_NAME).read_text()) == ("first\n", "second\n")


def test_json_lines_carry_what_a_machine_asks_for(settings, logger):
    settings.log_dir.mkdir()
    log_to_file(settings.model_copy(update={"log_format": "json"}))

    logger.info("가맹점 %s", "a\nb")
    try:
        int("no")
    except ValueError:
        logger.exception("broke")

    first, second = (json.loads(line) for line in lines_of(settings.log_dir))
    assert (first["message"], first["level"], first["logger"]) == ("가맹점 a\nb", "INFO", "doc_assets.test_logs")
    assert datetime.fromisoformat(first["time"]).utcoffset() == timedelta(0)
    assert "ValueError: invalid" in second["exception"]


def test_a_message_with_line_breaks_cannot_look_like_another_event(settings, logger):
    settings.log_dir.mkdir()
    log_to_file(settings)

    logger.warning("name\n2026-11-21 09:30:00 ERROR forged: event")
    logger.debug("not at this level")

    first, second = lines_of(settings.log_dir)
    assert "WARNING doc_assets.test_logs: name" in first
    assert second.startswith("    ")


def test_lines_of_a_run_say_which_run(settings):
    record = logging.LogRecord("dagster", logging.INFO, __file__, 1, "done", None, None)
    record.dagster_meta = {"run_id": "1234", "job_name": "ingest_drop_job", "step_key": None}

    line = json.loads(formatter("json").format(record))

    assert (line["run_id"], line["job"]) == ("1234", "ingest_drop_job")
    assert "step" not in line
