"""What every step of every job does around its one call into the domain."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from doc_assets.archive.home import require_whole
from doc_assets.defs.instance import PROCESS_TAG, this_process
from doc_assets.errors import DocAssetsError, NoRoomError, ServiceError
from doc_assets.settings import load_settings
from doc_assets.util.files import no_room
from doc_assets.util.progress import watched_by

_MAX_RETRIES = 3
_RETRY_AFTER_S = 30
_LOG_EVERY_S = 10.0
INTERACTIVE_TAG = "doc_assets/interactive"
"""Runs that a person at a terminal waits for; they see the error instead of a retry."""

if TYPE_CHECKING:
    Materialized = dg.MaterializeResult[None]
else:
    Materialized = dg.MaterializeResult  # with a type argument Dagster refuses it beside check_specs
Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


@contextmanager
def step(context: Context) -> Iterator[None]:
    """Shows progress in the run's log and turns our errors into Dagster's.

    What may pass is retried; the rest of our tree fails at once with its message. Other exceptions are
    defects and keep their traceback.
    """
    if PROCESS_TAG not in context.run.tags:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: this_process()})
    try:
        require_whole(load_settings().home)
        with watched_by(_RunLog(context.log)), _room_errors():
            yield
    except DocAssetsError as error:
        if isinstance(error, ServiceError) and INTERACTIVE_TAG not in context.run.tags:
            raise dg.RetryRequested(max_retries=_MAX_RETRIES, seconds_to_wait=_RETRY_AFTER_S) from error
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error


@contextmanager
def _room_errors() -> Iterator[None]:
    """A full disk may break any library; it is one cause, and passes once there is room."""
    try:
        yield
    except Exception as error:
        settings = load_settings()
        says = no_room(error, [settings.home, settings.log_dir])
        if says is None:
            raise
        raise NoRoomError(says) from error


class _RunLog:
    """A ``ProgressSink`` that writes a line at most every ten seconds."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self._last = time.monotonic()

    def start(self, what: str, total: int) -> None:
        """A loop begins."""
        self._done[what], self._total[what] = 0, total

    def advance(self, what: str) -> None:
        """One step is done."""
        self._done[what] += 1
        if time.monotonic() - self._last >= _LOG_EVERY_S:
            self._last = time.monotonic()
            self._log.info("%s: %d of %d", what, self._done[what], self._total[what])

    def finish(self, what: str) -> None:
        """The loop is over."""
