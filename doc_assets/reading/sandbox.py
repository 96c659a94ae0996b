"""Reads documents in limited child processes; what a hostile file breaks is the child.

Decoding here in the calling process would put its memory, its time and, with a decoder bug, its
secrets at the mercy of a file. See ``decoder_process`` for the other side.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from io import RawIOBase
from typing import Any, Self

import numpy as np

from doc_assets.datatypes import Page
from doc_assets.errors import ServiceError
from doc_assets.faults import Fault, FaultCode, ReadReport
from doc_assets.reading.child_process import STUCK_PER_CPU, ChildPool, ChildProcess, receive, receive_bytes
from doc_assets.reading.preflight import Limits
from doc_assets.util.threads import Workers

_PIPE_BYTES = 1 << 20
"""A wider pipe halves the switches between child and parent."""
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
    """A pool of decoder processes and as many ``threads`` for callers; ``read`` may be called from many threads."""

    def __init__(self, limits: ReaderLimits | None = None, workers: int = 1) -> None:
        self.limits = limits or ReaderLimits()
        self.threads = Workers(workers)
        self._decoders = ChildPool(_Decoder)
        self._slots = threading.Semaphore(workers)

    def read(self, content: bytes, on_page: Callable[[Page], None] | None = None) -> ReadReport:
        """Decodes a document page by page; one that cannot be read is a report without pages, not an error.

        Args:
            content: the bytes; never a path, because a file that changes while a library maps it kills the process.
            on_page: called for every undamaged page in order; without it no pixels leave the child.

        Raises:
            ServiceError: if no decoder process can be started.
        """
        if len(content) > self.limits.max_file_bytes:
            message = (
                f"The file has {len(content)} bytes, allowed are {self.limits.max_file_bytes}; "
                "DOC_ASSETS_MAX_FILE_BYTES sets the limit."
            )
            return ReadReport(0, (), (Fault(FaultCode.FILE_TOO_LARGE, message),))
        with self._slots, self._decoders.lent() as decoder:
            return decoder.read(content, self.limits, on_page)

    def close(self) -> None:
        """Ends threads and decoder processes; a document under way is waited for."""
        self.threads.close()
        for _ in range(self.threads.n):
            self._slots.acquire()
        self._decoders.close()
        self._slots.release(self.threads.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Decoder(ChildProcess):
    def __init__(self) -> None:
        environment = {
            "OMP_NUM_THREADS": "1",
            "OPENCV_LOG_LEVEL": "WARNING",  # damage of JPEG and fax data is told at this level
            # A page's pixels in 2 MiB instead of 4 KiB steps: measured 60 % less system time per document.
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        }
        super().__init__("doc_assets.reading.decoder_process", environment=environment)

    def read(self, content: bytes, limits: ReaderLimits, on_page: Callable[[Page], None] | None) -> ReadReport:
        job = asdict(limits) | {
            "stuck_after_s": STUCK_PER_CPU * _longest(content, limits),
            "with_pixels": on_page is not None,
        }
        answer = _Answer(on_page)
        with self._send(job, content) as pipe:
            while (header := receive(pipe)) is not None and answer.take(header, pipe):
                pass
        ending = receive(self.messages)
        if ending is None:
            raise ServiceError("The decoder process ended; was it killed for memory?")
        if not answer.is_complete:
            answer.faults.append(_ended_early(ending, limits))
        return ReadReport(answer.n_pages, tuple(answer.pages), tuple(answer.faults))

    def _send(self, job: dict[str, Any], content: bytes) -> RawIOBase:
        document = os.memfd_create("document")
        with open(document, "wb", closefd=False) as file:
            file.write(content)
        ours, theirs = os.pipe()
        with contextlib.suppress(OSError):  # without the right to it, the default serves
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            socket.send_fds(self.control, [json.dumps(job).encode()], [document, theirs])
        except OSError as error:
            os.close(ours)
            raise ServiceError(f"The decoder process is gone: {error}") from error
        finally:
            os.close(document)
            os.close(theirs)
        return os.fdopen(ours, "rb", buffering=0)


class _Answer:
    """What one child has sent so far: the faults and the pages of a document, and whether that is all."""

    def __init__(self, on_page: Callable[[Page], None] | None) -> None:
        self._on_page = on_page
        self.n_pages = 0
        self.pages: list[int] = []
        self.faults: list[Fault] = []
        self.is_complete = False

    def take(self, header: dict[str, Any], pipe: RawIOBase) -> bool:
        """Takes one message; False if the child died in the middle of it."""
        if "fault" in header:
            self.faults.append(Fault(FaultCode(header["fault"]), header["message"], header["page_index"]))
        elif "pages" in header:
            self.n_pages = header["pages"]
        elif "end" in header:
            self.is_complete = True
        else:
            shape = (header["height"], header["width"], 3)
            pixels = receive_bytes(pipe, shape[0] * shape[1] * shape[2]) if header["with_pixels"] else b""
            if pixels is None:
                return False
            self.pages.append(header["page_index"])
            if self._on_page is not None:
                array = np.frombuffer(pixels, np.uint8).reshape(shape)
                self._on_page(Page(header["page_index"], array, header["is_picture"]))
        return True


def _ended_early(ending: dict[str, Any], limits: ReaderLimits) -> Fault:
    if ending["timed_out"]:
        return Fault(
            FaultCode.TIMEOUT,
            f"Decoding took longer than {limits.timeout_s:g} s and {limits.timeout_per_page_s:g} s per page; "
            "DOC_ASSETS_DECODE_TIMEOUT_S and DOC_ASSETS_DECODE_TIMEOUT_PER_PAGE_S set the limit.",
        )
    return Fault(FaultCode.CRASH, f"The decoder ended with signal {ending['signal']}; the remaining pages are lost.")


def _longest(content: bytes, limits: ReaderLimits) -> float:
    """CPU seconds that no document of this size is allowed to exceed."""
    most_pages = min(limits.structure.max_pages, len(content) // _SMALLEST_PAGE_BYTES + 1)
    return limits.timeout_s + limits.timeout_per_page_s * most_pages
