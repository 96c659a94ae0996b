"""What tells of a document wherever it stands: its names, digests, and pieces of its bytes, in every spelling."""

import html
import json
import mmap
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote

Content = bytes | bytearray | memoryview | mmap.mmap

FORGOTTEN = "forgotten"
"""Stands in text where a forgotten name stood."""

A_PIECE = "a piece of its content"
"""What ``Needles.is_in`` says of bytes that are no name."""

_DISTINCT_CHARACTERS = 8
_DISTINCT_BYTES = 24  # of a piece: fewer are white paper or padding, which many files share
_PIECE_BYTES = 48
_BLOCK_BYTES = 4 << 20
_PIECES = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where something was found.

    Attributes:
        place: file, or table and column.
        what: a name, or a piece of the content.
    """

    place: str
    what: str


@dataclass(frozen=True)
class Needles:
    """What is looked for.

    Attributes:
        words: names, paths and digests.
        pieces: bytes of the document's file and of its photos.
        others: names of other documents in which a word stands; they are no trace.
    """

    words: tuple[str, ...]
    pieces: tuple[bytes, ...] = ()
    others: tuple[str, ...] = ()

    def is_in(self, content: Content) -> str | None:
        """What of it stands in ``content``; None for nothing. Short names count only where nothing touches them."""
        if not self._may_be_in(content):
            return None
        for found in self._in_bytes.finditer(content):
            if found.lastgroup != "other":
                return "a name or digest" if found.lastgroup == "word" else A_PIECE
        return None

    @property
    def names_alone(self) -> "Needles":
        """The same without the pieces."""
        return replace(self, pieces=())

    def is_in_text(self, text: str) -> bool:
        """Whether a word stands in ``text``."""
        return self.is_in(text.encode("utf-8", "surrogatepass")) is not None

    def without(self, text: str) -> str:
        """``text`` with ``forgotten`` in place of every word."""
        cleaned = self._in_bytes.sub(
            lambda found: found.group() if found.lastgroup == "other" else FORGOTTEN.encode(),
            text.encode("utf-8", "surrogatepass"),
        )
        return cleaned.decode("utf-8", "surrogatepass")

    def spans(self, content: Content) -> Iterator[tuple[int, int]]:
        """Where in ``content`` it stands: start and end."""
        for found in self._in_bytes.finditer(content):
            if found.lastgroup != "other":
                yield found.span()

    def _may_be_in(self, content: Content) -> bool:
        """Whether any literal stands in it: a hundred times as quick as the pattern, which then looks closely."""
        reach = max(map(len, self._literals), default=0)
        for start in range(0, len(content), _BLOCK_BYTES):
            block = bytes(content[start : start + _BLOCK_BYTES + reach])
            if block.count(0) < len(block) and any(literal in block for literal in self._literals):
                return True
        return False

    @cached_property
    def _literals(self) -> tuple[bytes, ...]:
        return (*(spelt.encode("utf-8", "surrogatepass") for spelt in self.spellings), *self.pieces)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Every spelling of every word, the longest first."""
        return tuple(sorted({spelt for word in self.words for spelt in _spellings(word)}, key=_longest_first))

    @cached_property
    def _in_bytes(self) -> re.Pattern[bytes]:
        others = sorted({spelt for other in self.others for spelt in _spellings(other)}, key=_longest_first)
        long = [word for word in self.spellings if len(word) >= _DISTINCT_CHARACTERS]
        short = [word for word in self.spellings if len(word) < _DISTINCT_CHARACTERS]
        # The names of others come first: what is part of one of them is taken by it.
        parts = [
            _group(b"other", map(_escaped, others)),
            _group(b"word", [*map(_escaped, long), *(_ALONE % _escaped(word) for word in short)]),
            _group(b"piece", map(re.escape, self.pieces)),
        ]
        return re.compile(b"|".join(part for part in parts if part) or rb"(?!)", re.DOTALL)


_ALONE = rb"(?<![0-9A-Za-z_.\x80-\xff-])%b(?![0-9A-Za-z_.\x80-\xff-])"


def _longest_first(word: str) -> tuple[int, str]:
    return -len(word), word


def _escaped(word: str) -> bytes:
    return re.escape(word.encode("utf-8", "surrogatepass"))


def _group(name: bytes, patterns: Iterable[bytes]) -> bytes:
    joined = b"|".join(patterns)
    return b"(?P<%b>%b)" % (name, joined) if joined else b""


def _spellings(word: str) -> set[str]:
    """A word as text, JSON (also within JSON), HTML, links and decomposed Hangul write it."""
    shapes = {word, unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)}
    json_once = {json.dumps(shape)[1:-1] for shape in shapes} | {
        json.dumps(shape, ensure_ascii=False)[1:-1] for shape in shapes
    }
    json_twice = {json.dumps(shape)[1:-1] for shape in json_once}
    marked_up = {html.escape(shape) for shape in shapes} | {html.escape(shape, quote=False) for shape in shapes}
    linked = {quote(shape, safe=safe, errors="surrogatepass") for shape in shapes for safe in ("/", "")}
    return {spelt for spelt in shapes | json_once | json_twice | marked_up | linked if spelt}


def pieces_of(content: bytes) -> tuple[bytes, ...]:
    """A few pieces of a file by which it is known; none of a file that is too plain for that."""
    found = []
    for share in _PIECES:
        start = int(len(content) * share)
        piece = content[start : start + _PIECE_BYTES]
        if len(piece) == _PIECE_BYTES and len(set(piece)) >= _DISTINCT_BYTES:
            found.append(piece)
    return tuple(found)
