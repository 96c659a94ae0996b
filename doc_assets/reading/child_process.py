"""Child processes that do what a hostile file may break, and the messages both sides send.

A message is a 4-byte length and a JSON header; what the header announces, such as pixels, follows as raw bytes.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import RawIOBase
from typing import Any, Generic, TypeVar

from doc_assets.errors import ServiceError

STUCK_PER_CPU = 20
"""Wall time allowed per second of CPU time: a busy machine must lose no document."""

_INHERITED = {"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHOME"}
"""Nothing else of the environment reaches a child; secrets live there."""


class ChildProcess:
    """A process that runs ``module`` by ``python -m``; its first argument is the number of its end of a socket.

    Attributes:
        control: our end; ``messages`` is the same, for ``send`` and ``receive``.

    Args:
        module: of this package.
        arguments: of the module, behind the socket's number.
        environment: variables beside the few that every child inherits.
        quiet: whether what it prints is dropped.

    Raises:
        ServiceError: if it cannot be started.
    """

    def __init__(
        self, module: str, *arguments: str, environment: Mapping[str, str] | None = None, quiet: bool = False
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in _INHERITED}
        self.control, theirs = socket.socketpair()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if quiet else None,
                env={**inherited, "OPENBLAS_NUM_THREADS": "1", **(environment or {})},
            )
        except OSError as error:
            self.control.close()
            raise ServiceError(f"No process for {module} could be started: {error}") from error
        finally:
            theirs.close()
        self.messages: RawIOBase = self.control.makefile("rwb", buffering=0)

    def close(self) -> None:
        """Ends the process, whatever it is at."""
        self.messages.close()
        self.control.close()
        self.process.kill()
        self.process.wait()


Child = TypeVar("Child", bound=ChildProcess)


class ChildPool(Generic[Child]):
    """Child processes that serve one caller at a time, as many as there are callers; they end with the program."""

    def __init__(self, start: Callable[[], Child]) -> None:
        self._start = start
        self._idle: deque[Child] = deque()
        weakref.finalize(self, _close_all, self._idle)

    @contextmanager
    def lent(self) -> Iterator[Child]:
        """A child for the block; one that the block leaves by an error is ended: half an answer may be under way.

        Raises:
            ServiceError: if none is idle and none can be started.
        """
        try:
            child = self._idle.pop()
        except IndexError:
            child = self._start()
        try:
            yield child
        except BaseException:
            child.close()
            raise
        self._idle.append(child)

    def close(self) -> None:
        """Ends the children that are idle."""
        _close_all(self._idle)


def _close_all(idle: "deque[Child]") -> None:
    while idle:
        idle.pop().close()


def send(stream: RawIOBase, header: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Writes a message and the bytes that follow it to an unbuffered stream."""
    text = json.dumps(header).encode()
    for part in (struct.pack("<I", len(text)) + text, payload):
        rest = memoryview(part)
        while rest:
            rest = rest[stream.write(rest) or 0 :]


def receive(stream: RawIOBase) -> dict[str, Any] | None:
    """Reads a message; None if the other side is gone."""
    size = receive_bytes(stream, 4)
    text = receive_bytes(stream, struct.unpack("<I", size)[0]) if size is not None else None
    if text is None:
        return None
    header: dict[str, Any] = json.loads(text)
    return header


def receive_bytes(stream: RawIOBase, size: int) -> bytearray | None:
    """``size`` bytes; None if the other side is gone before they are complete."""
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        n = stream.readinto(rest)
        if not n:
            return None
        rest = rest[n:]
    return content
