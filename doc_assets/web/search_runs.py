"""Runs of searches that the desk asks for, as the desk sees them: started, and asked how far they are."""

import json
import logging
import subprocess
import threading
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from doc_assets.errors import ServiceError

RunKind = Literal["queued", "running", "done", "failed"]
TAGS = {"dagster/priority": "10", "dagster/max_retries": "0", "doc_assets/interactive": "true"}
"""Somebody waits for these runs, and sees an error instead of minutes of retries; those of drops wait for nobody."""
KILLED, LOST, CANCELED = "Killed", "Lost", "Canceled"
"""What a failure begins with that no run says of itself."""
_END_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a run is.

    Attributes:
        kind: waiting, at work or ended.
        stage: what it does now, as in its log; None if that is not known.
        failure: of a failed run, as ``Code: sentence``.
    """

    kind: RunKind
    stage: str | None = None
    failure: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.kind in {"done", "failed"}


class SearchRuns(Protocol):
    """Where runs of ``search_documents_job`` are carried out."""

    def launch(self, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Starts a run with these fields of ``SearchConfig`` and these tags; returns its id.

        Raises:
            ServiceError: if it cannot be started now.
        """

    def state(self, run_id: str) -> RunState:
        """How far a run is; one that is not known is failed with ``LOST``.

        Raises:
            ServiceError: if that cannot be said now.
        """

    def close(self) -> None:
        """Ends what only this process carries out."""


class NoRuns:
    """For a desk that was opened without a place for runs."""

    def launch(self, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Refuses.

        Raises:
            ServiceError: always.
        """
        raise ServiceError("This desk carries out no searches; start it with `doc-assets serve`.")

    def state(self, run_id: str) -> RunState:
        """Nothing is known of any run."""
        return RunState("failed", failure=f"{LOST}: no run is known here.")

    def close(self) -> None:
        """Nothing is open."""


class LocalRuns:
    """Runs on this machine, one at a time in the order they were asked for, each in a process of its own.

    The process reads its task as one line of JSON, and ends when its standard input does: a desk that was killed leaves
    no run behind. It writes lines of JSON: ``{"stage": ...}`` while it works, ``{"failure": ...}`` at the end.

    Args:
        program: command of the process.
    """

    def __init__(self, program: Sequence[str]) -> None:
        self._program = list(program)
        self._waiting: deque[tuple[str, str]] = deque()
        self._states: dict[str, RunState] = {}
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._is_closed = False
        self._worker = threading.Thread(target=self._work, name="searches", daemon=True)
        self._worker.start()

    def launch(self, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Puts a run at the end of the line; see ``SearchRuns``."""
        run_id = str(uuid.uuid4())
        task = json.dumps({"config": dict(config), "tags": dict(tags), "run_id": run_id})
        with self._changed:
            if self._is_closed:
                raise ServiceError("The desk is ending; search again when it is back.")
            self._states[run_id] = RunState("queued")
            self._waiting.append((run_id, task))
            self._changed.notify()
        return run_id

    def state(self, run_id: str) -> RunState:
        """How far a run of this process is; see ``SearchRuns``."""
        with self._changed:
            lost = RunState("failed", failure=f"{LOST}: the desk was started anew while this search waited or worked.")
            return self._states.get(run_id, lost)

    def close(self) -> None:
        """Ends the run at work and forgets those that wait."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            process = self._process
            self._changed.notify()
        if process is not None:
            process.terminate()
        self._worker.join(_END_S)
        if process is not None and process.poll() is None:
            process.kill()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            run_id, line = task
            try:
                ended = self._carried_out(run_id, line)
            except OSError as error:
                _log.error("a search could not be started: %s", error.strerror)
                ended = RunState("failed", failure=f"{KILLED}: the process of the search could not be started.")
            with self._changed:
                self._states[run_id] = ended
                self._process = None

    def _next(self) -> tuple[str, str] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            return None if self._is_closed else self._waiting.popleft()

    def _carried_out(self, run_id: str, line: str) -> RunState:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(self._program, text=True, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
            with self._changed:
                self._process = process
                self._states[run_id] = RunState("running")
                if self._is_closed:
                    process.terminate()
            failure: str | None = f"{KILLED}: the process of the search ended before its work did."
            try:
                process.stdin.write(f"{line}\n")
                process.stdin.flush()
                for told in map(_parsed, process.stdout):
                    if "failure" in told:
                        failure = told["failure"]
                    elif "stage" in told:
                        with self._changed:
                            self._states[run_id] = RunState("running", str(told["stage"]))
            except BrokenPipeError:
                _log.warning("the process of search %s ended before it read its task", run_id)
        return RunState("done") if failure is None else RunState("failed", failure=failure)


def _parsed(line: str) -> dict[str, Any]:
    """A line of a run; nothing if it is none of ours."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
