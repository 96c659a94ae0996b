"""Identifiers of a document in any content: names, paths, digests and fingerprints of its bytes, in every spelling."""

import html
import json
import mmap
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from urllib.parse import quote

Content = bytes | bytearray | memoryview | mmap.mmap
What = Literal["a name or digest", "its name", "a piece of its content", "a point"]

FORGOTTEN = "forgotten"
"""Stands in text where a name stood."""

A_NAME: What = "a name or digest"
A_PIECE: What = "a piece of its content"

_DISTINCT_CHARACTERS = 8
_DISTINCT_BYTES = 24  # of a fingerprint: fewer are white paper or padding, which many files share
_FINGERPRINT_BYTES = 48
_BLOCK_BYTES = 4 << 20
_PLACES = (0.3, 0.5, 0.7)
_ALONE = rb"(?<![0-9A-Za-z_.\x80-\xff-])%b(?![0-9A-Za-z_.\x80-\xff-])"


@dataclass(frozen=True, slots=True)
class Residual:
    """Something of an erased document that is left, and where: in a file, or in a column of a table."""

    place: str
    what: What


@dataclass(frozen=True)
class Identifiers:
    """What a document is recognised by.

    Attributes:
        names: file names, ids, paths and digests. Short ones count only where nothing touches them.
        fingerprints: bytes of the document's file and of its photos.
        others: names of other documents in which one of ``names`` stands; they do not count.
    """

    names: tuple[str, ...]
    fingerprints: tuple[bytes, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def without_fingerprints(self) -> "Identifiers":
        """The names alone."""
        return replace(self, fingerprints=())

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Every spelling of every name, the longest first."""
        return _spellings(self.names)

    def spans(self, content: Content) -> Iterator[tuple[int, int, What]]:
        """Where in ``content`` an identifier stands: start, end, and what it is."""
        if self._may_be_in(content):
            for found in self._pattern.finditer(content):
                if found.lastgroup != "other":
                    yield *found.span(), A_NAME if found.lastgroup == "name" else A_PIECE

    def is_in(self, content: Content) -> What | None:
        """What stands first in ``content``; None for nothing."""
        return next((what for _, _, what in self.spans(content)), None)

    def is_in_text(self, text: str) -> bool:
        """Whether an identifier stands in ``text``."""
        return self.is_in(_encoded(text)) is not None

    def without(self, text: str) -> str:
        """``text`` with ``forgotten`` in place of every name."""
        cleaned = bytearray(_encoded(text))
        for start, end, _ in reversed(list(self.spans(bytes(cleaned)))):
            cleaned[start:end] = FORGOTTEN.encode()
        return cleaned.decode("utf-8", "surrogatepass")

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
        return *map(_encoded, self.spellings), *self.fingerprints

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        """The names of others come first: what is part of one of them is taken by it. Then the longest names."""
        names = ((name, re.escape(_encoded(name))) for name in self.spellings)
        groups = {
            b"other": [re.escape(_encoded(other)) for other in _spellings(self.others)],
            b"name": [escaped if len(name) >= _DISTINCT_CHARACTERS else _ALONE % escaped for name, escaped in names],
            b"fingerprint": [re.escape(piece) for piece in self.fingerprints],
        }
        parts = [b"(?P<%b>%b)" % (group, b"|".join(patterns)) for group, patterns in groups.items() if patterns]
        return re.compile(b"|".join(parts) or rb"(?!)", re.DOTALL)


def fingerprints_of(content: bytes) -> tuple[bytes, ...]:
    """A few pieces of a file by which it is recognised; none of a file that is too plain for that."""
    starts = (int(len(content) * share) for share in _PLACES)
    pieces = (content[start : start + _FINGERPRINT_BYTES] for start in starts)
    return tuple(piece for piece in pieces if len(piece) == _FINGERPRINT_BYTES and len(set(piece)) >= _DISTINCT_BYTES)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _spellings(names: Iterable[str]) -> tuple[str, ...]:
    """Names as text, JSON (also within JSON), HTML, links and decomposed Hangul write them, the longest first."""
    forms = {unicodedata.normalize(form, name) for name in names for form in ("NFC", "NFD")} | set(names)
    in_json = {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in forms for ascii_only in (True, False)}
    spelt = forms | in_json | {json.dumps(form)[1:-1] for form in in_json}
    spelt |= {html.escape(form, quote=quoted) for form in forms for quoted in (True, False)}
    spelt |= {quote(form, safe=safe, errors="surrogatepass") for form in forms for safe in ("/", "")}
    return tuple(sorted(filter(None, spelt), key=lambda name: (-len(name), name)))
