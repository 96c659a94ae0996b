"""One search of the review desk, as a process of its own: ``python -m doc_assets.cli.desk_run``.

Reads its task as a line of JSON from standard input, tells as lines of JSON on standard output how far it is and how it
ended, and ends at once when standard input does: the desk that asked for it is gone then. See ``web.search_runs``.
"""

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import IO, Any

from doc_assets.errors import DocAssetsError
from doc_assets.settings import PREFIX, load_settings
from doc_assets.util.progress import watched_by

_WAITS_S = 60.0
"""For the embedded vector store: whoever waits for the search is told after this that a run holds it."""
_DESK_IS_GONE = 3
_log = logging.getLogger(__name__)


class _Told:
    """A ``ProgressSink`` that tells which loop has begun, and every step of it."""

    def __init__(self, told: IO[str]) -> None:
        self._told = told
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def start(self, what: str, total: int) -> None:
        """A loop begins."""
        self._total[what], self._done[what] = total, 0
        self._say(what)

    def advance(self, what: str) -> None:
        """One step is done."""
        self._done[what] += 1
        self._say(what)

    def finish(self, what: str) -> None:
        """The loop is over."""

    def _say(self, what: str) -> None:
        say(self._told, stage=f"{what}: {self._done[what]}/{self._total[what]}")


def say(told: IO[str], **what: object) -> None:
    """Tells the desk something."""
    told.write(f"{json.dumps(what)}\n")
    told.flush()


def main() -> None:
    """Carries out one task."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # what libraries print is not for the desk
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    sys.excepthook = lambda *error: _log.critical("a search of the desk broke", exc_info=error)
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_desk, daemon=True).start()
    try:
        failure = _carried_out(task, told)
    except DocAssetsError as error:
        failure = f"{type(error).__name__}: {error}"
    say(told, failure=failure)


def _carried_out(task: dict[str, Any], told: IO[str]) -> str | None:
    """Runs the job; returns what its failed step said, None if all went well."""
    from doc_assets.archive.home import require_whole
    from doc_assets.ops.home import prepare_home
    from doc_assets.ops.logs import log_to_file

    settings = load_settings()
    os.environ[f"{PREFIX}STORE_LOCK_TIMEOUT_S"] = str(min(settings.store_lock_timeout_s, _WAITS_S))
    require_whole(settings.home)
    prepare_home(settings)
    log_to_file(settings)
    from doc_assets.cli.launch import search

    with watched_by(_Told(told)):
        return search(task["config"], task["run_id"], task["tags"]).error


def _end_with_the_desk() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(_DESK_IS_GONE)


if __name__ == "__main__":
    main()
