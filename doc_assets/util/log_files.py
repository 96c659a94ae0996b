"""Log files that several processes write and that are closed by size and by day."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from logging import LogRecord
from logging.handlers import WatchedFileHandler
from pathlib import Path

from typing_extensions import override

from doc_assets.util.files import exclusive

CLOSED_PATTERN = "*-[0-9]*T[0-9]*-[0-9]*.log"
"""Names of log files that are closed."""


class SharedFileHandler(WatchedFileHandler):
    """A log file that several processes append to; at ``max_bytes`` and at midnight UTC it gets a dated name.

    One process renames it under a lock, the others notice and open the new one. Old files are deleted by
    maintenance, not here: a handler must not take time.
    """

    def __init__(self, path: Path, max_bytes: int, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._max_bytes, self._clock = max_bytes, clock
        self._has_failed = False
        super().__init__(path, encoding="utf-8", delay=True, errors="backslashreplace")

    @override
    def emit(self, record: LogRecord) -> None:
        for step in (self._close_if_full, partial(super().emit, record)):
            try:
                step()
            except OSError:  # it cannot be renamed, or not be opened
                self.handleError(record)

    @override
    def handleError(self, record: LogRecord) -> None:
        """Says once that lines are lost; a full disk must not end the work, nor fill the terminal."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._has_failed:
            self._has_failed = True
            sys.stderr.write(f"doc-assets: the log {self.baseFilename} cannot be written: {error.strerror or error}.\n")

    def _is_full(self) -> bool:
        try:
            found = Path(self.baseFilename).stat()
        except FileNotFoundError:
            return False
        last_day = datetime.fromtimestamp(found.st_mtime, UTC).date()
        return found.st_size > 0 and (found.st_size >= self._max_bytes or last_day < self._clock().date())

    def _close_if_full(self) -> None:
        if not self._is_full():
            return
        path = Path(self.baseFilename)
        with exclusive(path.with_name(f".{path.name}.lock")):
            if self._is_full():  # another process may have been quicker
                stem = f"{path.stem}-{self._clock():%Y%m%dT%H%M%S}-{os.getpid()}"
                names = (path.with_name(f"{stem}{f'-{n}' if n else ''}{path.suffix}") for n in count())
                path.rename(next(name for name in names if not name.exists()))
