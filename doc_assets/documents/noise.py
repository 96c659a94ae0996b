"""What C libraries print on standard error while they decode; they report damage nowhere else."""

import os
from typing import Self

_MAX_BYTES = 1 << 20
_MESSAGE_CHARS = 300
_BENIGN = ("Warning", "warning", "unknown field with tag", "Unknown field with tag")


class Noise:
    """Standard error of this process, kept in anonymous memory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def captured(cls) -> Self:
        """Redirects standard error of this process for good."""
        descriptor = os.memfd_create("stderr")
        os.dup2(descriptor, 2)
        return cls(descriptor)

    def take(self) -> str:
        """Complaints since the last call in one line, "" if there are none."""
        text = os.pread(self._descriptor, _MAX_BYTES, 0).decode("utf-8", "replace")
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        lines = [line for line in text.splitlines() if line.strip() and not any(w in line for w in _BENIGN)]
        return " | ".join(dict.fromkeys(lines))[:_MESSAGE_CHARS]
