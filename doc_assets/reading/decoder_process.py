"""The decoder process: imports the image libraries once, then forks one limited child for each document.

Run as ``python -m doc_assets.reading.decoder_process FD`` by ``sandbox``. A job arrives on the socket FD as JSON with
two file descriptors: the document's bytes in anonymous memory, and a pipe for the answer. The child writes messages
(see ``child_process``) to the pipe, with the pixels behind that of a page. When the child has ended, the socket
carries one message on how.

A fork costs 5 ms where a new interpreter costs 200 ms; this process stays single-threaded, so forking is safe.
"""

import contextlib
import gc
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np

from doc_assets.datatypes import RgbImage
from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.child_process import send
from doc_assets.reading.formats import HEAD_BYTES, FileContent, Kind, OpenedDocument, in_words, kind_of
from doc_assets.reading.library_messages import Noise
from doc_assets.reading.pdf import PdfPages
from doc_assets.reading.picture import PictureDocument
from doc_assets.reading.preflight import Limits, fault_of
from doc_assets.reading.tiff import TiffDocument

_WRITTEN_BYTES = 1 << 20


def main() -> None:
    """Serves jobs until the socket closes."""
    import cv2
    import imagecodecs  # noqa: F401, PLC0415 - loaded here so that no child pays for it
    import tifffile  # noqa: F401
    from PIL import TiffImagePlugin  # noqa: F401, PLC0415

    cv2.setNumThreads(1)  # threads do not survive a fork

    gc.freeze()  # a collection in a child would copy every page that this process shares with it
    control = socket.socket(fileno=int(sys.argv[1]))
    messages = control.makefile("rwb", buffering=0)
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(control, 1 << 16, 2)
        if not message:
            return
        document, answer = descriptors
        _load_reader(document)
        send(messages, _serve(json.loads(message), document, answer))


def _serve(job: dict[str, Any], document: int, answer: int) -> dict[str, Any]:
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BrokenPipeError):
            _run_child(job, document, answer)
        os._exit(0)
    os.close(document)
    os.close(answer)
    watch = os.pidfd_open(pid)
    timed_out = not select.select([watch], [], [], job["stuck_after_s"])[0]
    if timed_out:
        os.kill(pid, signal.SIGKILL)
    os.close(watch)
    _, status = os.waitpid(pid, 0)
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"timed_out": timed_out or ended_by == signal.SIGXCPU, "signal": ended_by}


def _run_child(job: dict[str, Any], document: int, answer: int) -> None:
    size = os.fstat(document).st_size
    _limit(job)
    noise = Noise()
    out = _Answer(open(answer, "wb", buffering=0))  # noqa: SIM115 - a descriptor, closed as the child ends
    try:
        opened = _opened(document, size, Limits(**job["structure"]), noise)
        _limit_cpu(job["timeout_s"] + job["timeout_per_page_s"] * len(opened))
        send(out.stream, {"pages": len(opened)})
        out.new_faults(opened)
        for index in range(len(opened)):
            _send_page(out, opened, index, job)
            out.new_faults(opened)
    except UnreadableDocumentError as error:
        out.fault(fault_of(error))
    except MemoryError:
        out.fault(_no_memory(job))
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a file that breaks its reader is a damaged file
        out.fault(_broken_reader(error))
    send(out.stream, {"end": True})


def _opened(document: int, size: int, limits: Limits, noise: Noise) -> OpenedDocument:
    """The document, by what its first bytes say it is."""
    if size == 0:
        raise UnreadableDocumentError(FaultCode.EMPTY, "The file is empty.")
    content = FileContent(document, mmap.mmap(document, size))
    kind = kind_of(content.view[:HEAD_BYTES])
    if kind is Kind.PDF:
        return PdfPages(content, limits, noise)
    if kind.is_picture:
        return PictureDocument(content, kind, limits, noise)
    return TiffDocument(content, limits, noise)


def _load_reader(document: int) -> None:
    """Imports what the format needs beside a TIFF, once, so that no child pays for it again."""
    try:
        kind = kind_of(os.pread(document, HEAD_BYTES, 0))
    except UnreadableDocumentError:
        return  # the child says so
    if kind.is_picture:
        from PIL import BmpImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401, PLC0415
    if kind is Kind.PDF:
        import pypdfium2  # noqa: F401


def _limit(job: dict[str, Any]) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    memory = pages * resource.getpagesize() + job["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    _limit_cpu(job["timeout_s"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (_WRITTEN_BYTES, _WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)


def _limit_cpu(seconds: float) -> None:
    """CPU time, not wall time: a busy machine must reject nothing."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, resource.RLIM_INFINITY))


def _send_page(out: "_Answer", opened: OpenedDocument, index: int, job: dict[str, Any]) -> None:
    try:
        pixels = opened.page(index)
    except MemoryError:
        out.fault(_no_memory(job, index))
    except UnreadableDocumentError as error:
        out.fault(fault_of(error, index))
    except Exception as error:  # noqa: BLE001 - as above
        out.fault(_broken_reader(error, index))
    else:
        out.page(index, pixels, is_picture=opened.is_picture(index), with_pixels=job["with_pixels"])


def _broken_reader(error: Exception, index: int | None = None) -> Fault:
    return Fault(FaultCode.DAMAGED, f"The reader broke on it: {in_words(error)}", index)


def _no_memory(job: dict[str, Any], index: int | None = None) -> Fault:
    most = f"Decoding needs more than {job['memory_bytes'] >> 20} MiB"
    return Fault(FaultCode.MEMORY, f"{most}; DOC_ASSETS_DECODE_MEMORY_BYTES sets the limit.", index)


class _Answer:
    def __init__(self, stream: RawIOBase) -> None:
        self.stream = stream
        self._n_told = 0

    def new_faults(self, opened: OpenedDocument) -> None:
        """The document's own faults that were found since the last call."""
        for fault in opened.faults[self._n_told :]:
            self.fault(fault)
        self._n_told = len(opened.faults)

    def fault(self, fault: Fault) -> None:
        send(self.stream, {"fault": str(fault.code), "message": fault.message, "page_index": fault.page_index})

    def page(self, index: int, pixels: RgbImage, *, is_picture: bool, with_pixels: bool) -> None:
        height, width = pixels.shape[:2]
        header = {"page_index": index, "height": height, "width": width, "is_picture": is_picture}
        payload = np.ascontiguousarray(pixels).data.cast("B") if with_pixels else b""
        send(self.stream, {**header, "with_pixels": with_pixels}, payload)


if __name__ == "__main__":
    main()
