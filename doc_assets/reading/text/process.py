"""An engine in child processes: what makes it hang or crash costs a page, not the drop."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from doc_assets.errors import ServiceError, UnreadableTextError
from doc_assets.reading.text.base import GreyImage, TextLine, make_engine
from doc_assets.reading.text.child import receive, send

_INHERITED = {"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHOME"}
"""Nothing else of the environment reaches an engine; secrets live there."""

_STUCK_PER_CPU = 20
"""Wall time allowed for a second of CPU time: a busy machine must lose no page."""


class EngineProcesses:
    """Reads lines in as many processes as there are callers at once; they end with this object or the program.

    Attributes:
        engine_id: the engine's.

    Args:
        name, options: of the engine.
        timeout_s: CPU seconds that the lines of one call may take.

    Raises:
        SetupError: if the engine cannot be used here.
    """

    def __init__(self, name: str, options: dict[str, Any], timeout_s: float) -> None:
        self.engine_id = make_engine(name, options).engine_id
        self._command = [sys.executable, "-m", "doc_assets.reading.text.child"]
        self._arguments = [name, json.dumps(options)]
        self._timeout_s = timeout_s
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        self.close = weakref.finalize(self, _close_all, self._idle)

    def read(self, lines: Sequence[GreyImage]) -> list[TextLine]:
        """What the lines say.

        Raises:
            UnreadableTextError: if the engine took too long or broke on them.
            ServiceError: if no process can be started.
        """
        if not lines:
            return []
        try:
            child = self._idle.get_nowait()
        except queue.Empty:
            child = _Child(self._command, self._arguments)
        try:
            found = child.read(lines, self._timeout_s)
        except BaseException:
            child.close()
            raise
        self._idle.put(child)
        return found


class _Child:
    """One process and its socket."""

    def __init__(self, command: list[str], arguments: list[str]) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name in _INHERITED}
        environment |= {"OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # engines print about every odd line; what counts is the answer
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise ServiceError(f"No process for reading text could be started: {error}") from error
        finally:
            theirs.close()
        self._control = ours

    def read(self, lines: Sequence[GreyImage], timeout_s: float) -> list[TextLine]:
        self._control.settimeout(_STUCK_PER_CPU * timeout_s)
        request = {"shapes": [line.shape for line in lines], "timeout_s": timeout_s}
        try:
            send(self._control, request, b"".join(line.tobytes() for line in lines))
            answer = receive(self._control)
        except TimeoutError as error:
            raise UnreadableTextError(_too_long(timeout_s)) from error
        except OSError:  # it died while we were sending
            answer = None
        if answer is None:
            raise UnreadableTextError(self._ending(timeout_s))
        return [TextLine(text, confidence) for text, confidence in answer["lines"]]

    def _ending(self, timeout_s: float) -> str:
        status = self._process.wait()
        if status == -signal.SIGPROF:
            return _too_long(timeout_s)
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        return f"The engine that reads text ended with {how} on this page."

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


def _too_long(timeout_s: float) -> str:
    return f"Reading text took longer than {timeout_s:g} s; DOC_ASSETS_PAGE_TEXT_TIMEOUT_S sets the limit."


def _close_all(idle: "queue.LifoQueue[_Child]") -> None:
    while not idle.empty():
        idle.get_nowait().close()
