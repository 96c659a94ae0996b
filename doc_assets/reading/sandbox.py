"""Reads documents in limited child processes; what a hostile file breaks is the child.

Decoding here in the calling process would put its memory, its time and, with a decoder bug, its
secrets at the mercy of a file. See ``zygote`` for the other side.
"""

import contextlib
import fcntl
import json
import os
import queue
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from doc_assets.datatypes import Page
from doc_assets.errors import ServiceError
from doc_assets.faults import Fault, FaultCode, ReadReport
from doc_assets.reading.preflight import Limits
from doc_assets.util.threads import Workers

_PIPE_BYTES = 1 << 20
_INHERITED = {"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHOME"}
"""Nothing else of the environment reaches a decoder; secrets live there."""

_STUCK_PER_CPU = 20
"""Wall time allowed for a second of CPU time: a child waits for its reader and for a busy machine."""
_SMALLEST_PAGE_BYTES = 1000


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What one document may cost; the names are those of the settings.

    Attributes:
        structure: limits on pages and pixels.
        max_file_bytes: larger files are refused unread.
        memory_bytes: of the child, beyond what it had at its start.
        timeout_s, timeout_per_page_s: CPU seconds of the child.
    """

    structure: Limits = field(default_factory=Limits)
    max_file_bytes: int = 1 << 30
    memory_bytes: int = 3 << 29
    timeout_s: float = 5.0
    timeout_per_page_s: float = 1.0


class DocumentReader:
    """A pool of decoder processes; ``read`` may be called from many threads.

    Attributes:
        threads: as many as there are decoders, for callers that read several documents at once.
    """

    def __init__(self, limits: ReaderLimits | None = None, workers: int = 1) -> None:
        self.limits = limits or ReaderLimits()
        self.threads = Workers(workers)
        self._idle: queue.LifoQueue[_Zygote | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)  # started when first needed

    def read(self, content: bytes, on_page: Callable[[Page], None] | None = None) -> ReadReport:
        """Decodes a document page by page.

        Args:
            content: the file's bytes; never a path, because a file that changes while a library maps it
                kills the process.
            on_page: called for every undamaged page in order; without it no pixels leave the child.

        Returns:
            What was read and everything that went wrong; a document that cannot be read is a report
            without pages, not an error.

        Raises:
            ServiceError: if no decoder process can be started.
        """
        if len(content) > self.limits.max_file_bytes:
            message = (
                f"The file has {len(content)} bytes, allowed are {self.limits.max_file_bytes}; "
                "DOC_ASSETS_MAX_FILE_BYTES sets the limit."
            )
            return ReadReport(0, (), (Fault(FaultCode.FILE_TOO_LARGE, message),))
        with self._zygote() as zygote:
            return zygote.read(content, self.limits, on_page)

    @contextlib.contextmanager
    def _zygote(self) -> Iterator["_Zygote"]:
        zygote = self._idle.get() or _Zygote()
        try:
            yield zygote
        except BaseException:
            zygote.close()  # half-read answers may be under way
            self._idle.put(None)
            raise
        self._idle.put(zygote)

    def close(self) -> None:
        """Ends threads and decoder processes; a document under way is waited for."""
        self.threads.close()
        for zygote in [self._idle.get() for _ in range(self.threads.n)]:
            if zygote is not None:
                zygote.close()
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Zygote:
    """One decoder process and its control socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name in _INHERITED}
        environment |= {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OPENCV_LOG_LEVEL": "WARNING",  # damage of JPEG and fax data is told at this level
            # A page's pixels in 2 MiB instead of 4 KiB steps: measured 60 % less system time a document.
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "doc_assets.reading.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise ServiceError(f"No decoder process could be started: {error}") from error
        finally:
            theirs.close()
        self._control = ours

    def read(self, content: bytes, limits: ReaderLimits, on_page: Callable[[Page], None] | None) -> ReadReport:
        job = {
            "max_pages": limits.structure.max_pages,
            "max_page_px": limits.structure.max_page_px,
            "max_document_px": limits.structure.max_document_px,
            "memory_bytes": limits.memory_bytes,
            "timeout_s": limits.timeout_s,
            "timeout_per_page_s": limits.timeout_per_page_s,
            "stuck_after_s": _STUCK_PER_CPU * _longest(content, limits),
            "with_pixels": on_page is not None,
        }
        answer = _Answer(on_page)
        with self._send(job, content) as pipe:
            answer.consume(pipe)
        return answer.report(self._ending(), limits)

    def _send(self, job: dict[str, Any], content: bytes) -> IO[bytes]:
        document = os.memfd_create("document")
        _write_all(document, content)
        ours, theirs = os.pipe()
        _widen(theirs)
        try:
            socket.send_fds(self._control, [json.dumps(job).encode()], [document, theirs])
        except OSError as error:
            os.close(ours)
            raise ServiceError(f"The decoder process is gone: {error}") from error
        finally:
            os.close(document)
            os.close(theirs)
        return os.fdopen(ours, "rb", buffering=0)

    def _ending(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            part = self._control.recv(1 << 16)
            if not part:
                raise ServiceError("The decoder process ended; was it killed for memory?")
            line += part
        ending: dict[str, Any] = json.loads(line)
        return ending

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


class _Answer:
    """Collects one child's frames."""

    def __init__(self, on_page: Callable[[Page], None] | None) -> None:
        self._on_page = on_page
        self._n_pages = 0
        self._pages: list[int] = []
        self._faults: list[Fault] = []
        self._complete = False

    def consume(self, pipe: IO[bytes]) -> None:
        while True:
            start = _read_exactly(pipe, 4)
            if start is None:
                return
            text = _read_exactly(pipe, struct.unpack("<I", start)[0])
            if text is None:
                return
            if not self._take(json.loads(bytes(text)), pipe):
                return

    def _take(self, header: dict[str, Any], pipe: IO[bytes]) -> bool:
        """One frame; False if the child died in the middle of it."""
        if "fault" in header:
            self._faults.append(Fault(FaultCode(header["fault"]), header["message"], header["page_index"]))
        elif "pages" in header:
            self._n_pages = header["pages"]
        elif "end" in header:
            self._complete = True
        elif header["with_pixels"]:
            shape = (header["height"], header["width"], 3)
            pixels = _read_exactly(pipe, shape[0] * shape[1] * shape[2])
            if pixels is None:
                return False
            self._pages.append(header["page_index"])
            if self._on_page is not None:
                array = np.frombuffer(pixels, np.uint8).reshape(shape)
                self._on_page(Page(header["page_index"], array, header["is_picture"]))
        else:
            self._pages.append(header["page_index"])
        return True

    def report(self, ending: dict[str, Any], limits: ReaderLimits) -> ReadReport:
        faults = list(self._faults)
        if not self._complete:
            faults.append(_ended_early(ending, limits))
        return ReadReport(self._n_pages, tuple(self._pages), tuple(faults))


def _ended_early(ending: dict[str, Any], limits: ReaderLimits) -> Fault:
    if ending["timed_out"]:
        return Fault(
            FaultCode.TIMEOUT,
            f"Decoding took longer than {limits.timeout_s:g} s and {limits.timeout_per_page_s:g} s a page; "
            "DOC_ASSETS_DECODE_TIMEOUT_S and DOC_ASSETS_DECODE_TIMEOUT_PER_PAGE_S set the limit.",
        )
    return Fault(FaultCode.CRASH, f"The decoder ended with signal {ending['signal']}; the remaining pages are lost.")


def _longest(content: bytes, limits: ReaderLimits) -> float:
    """CPU seconds that no document of this size is allowed to exceed."""
    most_pages = min(limits.structure.max_pages, len(content) // _SMALLEST_PAGE_BYTES + 1)
    return limits.timeout_s + limits.timeout_per_page_s * most_pages


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _read_exactly(pipe: IO[bytes], size: int) -> bytearray | None:
    """``size`` bytes, None if the pipe ends before."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        n = pipe.readinto(view)  # type: ignore[attr-defined]
        if not n:
            return None
        view = view[n:]
    return buffer


def _widen(pipe: int) -> None:
    """A wider pipe halves the switches between child and parent; without the right to it, the default serves."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
