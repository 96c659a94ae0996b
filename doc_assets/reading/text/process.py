"""An OCR engine in child processes: what makes it hang or crash costs a page, not the drop.

``serve`` is the child's side, run as ``python -m doc_assets.reading.text.process FD ENGINE OPTIONS``. A request names
the shapes of its lines, whose pixels follow it; the answer holds what was read.
"""

import json
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from doc_assets.errors import UnreadableTextError
from doc_assets.reading.child_process import STUCK_PER_CPU, ChildPool, ChildProcess, receive, receive_bytes, send
from doc_assets.reading.text.base import GreyImage, TextLine, make_engine


class EngineProcesses:
    """Reads lines in as many processes as there are callers at once; they end with this object or the program.

    ``timeout_s`` are CPU seconds that the lines of one call may take; ``engine_id`` is the engine's.

    Raises:
        SetupError: if the engine cannot be used here.
    """

    def __init__(self, name: str, options: dict[str, Any], timeout_s: float) -> None:
        self.engine_id = make_engine(name, options).engine_id
        self._timeout_s = timeout_s
        self._children = ChildPool(lambda: _Child(name, options))
        self.close = self._children.close

    def read(self, lines: Sequence[GreyImage]) -> list[TextLine]:
        """What the lines say.

        Raises:
            UnreadableTextError: if the engine took too long or broke on them.
            ServiceError: if no process can be started.
        """
        if not lines:
            return []
        with self._children.lent() as child:
            return child.read(lines, self._timeout_s)


class _Child(ChildProcess):
    def __init__(self, name: str, options: dict[str, Any]) -> None:
        # Engines print about every odd line; what counts is the answer.
        super().__init__(__name__, name, json.dumps(options), environment={"OMP_THREAD_LIMIT": "1"}, quiet=True)

    def read(self, lines: Sequence[GreyImage], timeout_s: float) -> list[TextLine]:
        self.control.settimeout(STUCK_PER_CPU * timeout_s)
        request = {"shapes": [line.shape for line in lines], "timeout_s": timeout_s}
        try:
            send(self.messages, request, b"".join(line.tobytes() for line in lines))
            answer = receive(self.messages)
        except TimeoutError as error:
            raise UnreadableTextError(_too_long(timeout_s)) from error
        except OSError:  # it died while we were sending
            answer = None
        if answer is None:
            raise UnreadableTextError(self._ending(timeout_s))
        return [TextLine(text, confidence) for text, confidence in answer["lines"]]

    def _ending(self, timeout_s: float) -> str:
        status = self.process.wait()
        if status == -signal.SIGPROF:
            return _too_long(timeout_s)
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        return f"The engine that reads text ended with {how} on this page."


def _too_long(timeout_s: float) -> str:
    return f"Reading text took longer than {timeout_s:g} s; DOC_ASSETS_PAGE_TEXT_TIMEOUT_S sets the limit."


def serve(descriptor: int, name: str, options: dict[str, Any]) -> None:
    """Reads lines with one engine until the socket closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=descriptor) as control, control.makefile("rwb", buffering=0) as messages:
        engine = make_engine(name, options)
        while (request := receive(messages)) is not None:
            shapes = [(int(height), int(width)) for height, width in request["shapes"]]
            pixels = [receive_bytes(messages, height * width) for height, width in shapes]
            lines = [np.frombuffer(p or b"", np.uint8).reshape(s) for p, s in zip(pixels, shapes, strict=True)]
            # The system ends this process when the time is up, also in the middle of the engine's C++.
            signal.setitimer(signal.ITIMER_PROF, request["timeout_s"])
            found = engine.read(lines)
            signal.setitimer(signal.ITIMER_PROF, 0)
            send(messages, {"lines": [(line.text, line.confidence) for line in found]})


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
