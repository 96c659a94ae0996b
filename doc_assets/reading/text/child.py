"""A child process that reads lines for ``process`` with one engine.

Run as ``python -m doc_assets.reading.text.child FD ENGINE OPTIONS``. A message on the socket FD, both ways,
is a 4-byte length and JSON; a request is followed by the pixels of its lines.
"""

import json
import resource
import signal
import socket
import struct
import sys
from typing import Any

import numpy as np

from doc_assets.reading.text.base import make_engine


def main() -> None:
    """Serves requests until the socket closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(sys.argv[1])) as control:
        engine = make_engine(sys.argv[2], json.loads(sys.argv[3]))
        while (request := receive(control)) is not None:
            shapes = [(int(height), int(width)) for height, width in request["shapes"]]
            pixels = [receive_exactly(control, height * width) for height, width in shapes]
            lines = [np.frombuffer(p or b"", np.uint8).reshape(s) for p, s in zip(pixels, shapes, strict=True)]
            # The system ends this process when the time is up, also in the middle of the engine's C++.
            signal.setitimer(signal.ITIMER_PROF, request["timeout_s"])
            found = engine.read(lines)
            signal.setitimer(signal.ITIMER_PROF, 0)
            send(control, {"lines": [(line.text, line.confidence) for line in found]})


def send(control: socket.socket, message: dict[str, Any], pixels: bytes = b"") -> None:
    """One message."""
    text = json.dumps(message).encode()
    control.sendall(struct.pack("<I", len(text)) + text + pixels)


def receive(control: socket.socket) -> dict[str, Any] | None:
    """One message; None if the other side is gone."""
    start = receive_exactly(control, 4)
    text = receive_exactly(control, struct.unpack("<I", start)[0]) if start is not None else None
    if text is None:
        return None
    message: dict[str, Any] = json.loads(text)
    return message


def receive_exactly(control: socket.socket, size: int) -> bytes | None:
    """``size`` bytes; None if the other side is gone before."""
    parts = bytearray()
    while len(parts) < size:
        part = control.recv(size - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


if __name__ == "__main__":
    main()
