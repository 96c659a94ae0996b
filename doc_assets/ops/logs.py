"""Logs of this program's processes: one file in the log folder, closed by size and by day.

Commands, the web UI's processes and runs write the same file at once; a line is one write at its end.
"""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any, Literal

from typing_extensions import override

from doc_assets.settings import Settings, load_settings
from doc_assets.util.log_files import SharedFileHandler
from doc_assets.util.visible import visible, visible_json

LOG_NAME = "doc_assets.log"
ACCESS_LOG_NAME = "image_api_access.log"
LOGGER = "doc_assets"

Format = Literal["console", "json"]
_MARKS = {f"{what}_{how}" for what in ("PIPELINE", "STEP") for how in ("START", "SUCCESS", "FAILURE", "CANCELED")}
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, process, and the run if there is one."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        metadata = getattr(record, "dagster_meta", None)  # Dagster's own, beside each line of a run
        if isinstance(metadata, dict):
            wanted = {"run_id": "run_id", "job_name": "job", "step_key": "step"}
            line |= {ours: metadata[name] for name, ours in wanted.items() if metadata.get(name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return visible_json(json.dumps(line, ensure_ascii=False, default=str))


class TextLines(logging.Formatter):
    """One line an event for people, in UTC; a line break in a message cannot start another event."""

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s.%03dZ"

    @override
    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record), lines=True).replace("\n", "\n    ")


def formatter(kind: Format) -> logging.Formatter:
    """The formatter of log files."""
    return JsonLines() if kind == "json" else TextLines(_TEXT)


class RunLogHandler(SharedFileHandler):
    """What ``dagster.yaml`` names: run logs go into the same file, by the settings of the process.

    Dagster files beginning and end of runs and steps as DEBUG; here they count as INFO. It makes a handler for every
    run and closes none, so the file is open only while a line is written.
    """

    def __init__(self) -> None:
        settings = load_settings()
        settings.log_dir.mkdir(parents=True, exist_ok=True)
        super().__init__(settings.log_dir / LOG_NAME, settings.log_max_bytes)
        self.setFormatter(formatter(settings.log_format))
        self._least = logging.getLevelNamesMapping()[settings.log_level]

    @override
    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        event = (getattr(record, "dagster_meta", None) or {}).get("dagster_event")
        is_mark = event is not None and event.event_type_value in _MARKS
        level = max(record.levelno, logging.INFO) if is_mark else record.levelno
        return level >= self._least and bool(super().filter(record))


def log_to_file(settings: Settings, name: str = LOGGER) -> None:
    """Sends log lines to the log folder; what a command tells its operator it prints itself.

    Args:
        settings: of the home.
        name: of the logger; default: this package's.
    """
    logger = logging.getLogger(name)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    to_file = SharedFileHandler(settings.log_dir / LOG_NAME, settings.log_max_bytes)
    to_file.setFormatter(formatter(settings.log_format))
    to_file.setLevel(settings.log_level)
    logger.addHandler(to_file)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
