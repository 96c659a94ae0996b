"""What C libraries print on standard error while they decode; they report damage nowhere else."""

import os
import re
from dataclasses import dataclass

_MAX_BYTES = 1 << 20
_MESSAGE_CHARS = 300
_FROM_OPENCV = re.compile(
    r"^\[ *(?P<level>WARN|ERROR|INFO|DEBUG)[^\]]*\] \S+ \S+?:\d+ (?:TIFF_Warning|TIFF_Error|\S+) ?"
)
_DAMAGE = re.compile(
    r"^(JPEGLib|Corrupt JPEG|Premature end of JPEG|Fax\w*|\w+Decode\w*)\b.*"
    r"(premature|corrupt|mismatch|bad code|not enough|terminating|discarding|inconsistent)"
    r"|^(Corrupt JPEG|Premature end of JPEG)",
    re.IGNORECASE,
)
_NO_DAMAGE = (
    "unknown field",
    "not configured",
    "not supported",
    "can not handle",
    "opencv tiff",
    "warning:",
    "warning,",
)
_FAX_ROW = re.compile(r"^Fax\w*: (?!Premature EOF).* at line (?P<row>\d+) of (?:strip|tile) (?P<strip>\d+)")


@dataclass(frozen=True, slots=True)
class Complaints:
    """Lines that were printed, each once and without a library's prefix; ``errors`` are no mere warnings."""

    lines: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def damage(self) -> str:
        """What speaks of damaged data, in one line; "" if nothing does."""
        return " | ".join(line for line in self.lines if _DAMAGE.search(line))[:_MESSAGE_CHARS]

    @property
    def damage_or_error(self) -> str:
        """The same with every error of a library that gave a picture all the same."""
        return " | ".join(self._damages_and_errors())[:_MESSAGE_CHARS]

    def _damages_and_errors(self) -> list[str]:
        return [line for line in self.lines if line in self.errors or _DAMAGE.search(line)]

    @property
    def fax_rows(self) -> int | None:
        """Number of fax rows that were damaged; None if the data ends early or something else is wrong too."""
        found = [_FAX_ROW.match(line) for line in self._damages_and_errors()]
        rows = {(match["strip"], match["row"]) for match in found if match is not None}
        return len(rows) if all(found) else None


class Noise:
    """Standard error of this process, redirected for good to anonymous memory."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("stderr")
        os.dup2(self._descriptor, 2)

    def take(self) -> Complaints:
        """What was printed since the last call."""
        text = os.pread(self._descriptor, _MAX_BYTES, 0).decode("utf-8", "replace")
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        lines: dict[str, bool] = {}
        for line in text.splitlines():
            prefix = _FROM_OPENCV.match(line)
            message = line[prefix.end() :] if prefix else line
            is_error = prefix["level"] == "ERROR" if prefix else True
            if message.strip():
                is_error = is_error and not any(word in message.lower() for word in _NO_DAMAGE)
                lines[message] = lines.get(message, False) or is_error
        return Complaints(tuple(lines), tuple(message for message, is_error in lines.items() if is_error))
