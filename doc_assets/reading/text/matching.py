"""Whether a text that was read carries a wanted one."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from doc_assets.errors import SettingsError

_LETTERS_PER_ERROR = 6
"""A wanted text of fewer letters must be read without error: in 사진 one other syllable is another word."""

_SNIPPET_CHARACTERS = 120


class TextMode(StrEnum):
    """How a wanted text is looked for."""

    EXACT_PHRASE = "exact_phrase"
    ALL_WORDS = "all_words"


@dataclass(frozen=True, slots=True)
class WantedText:
    """What is looked for.

    Attributes:
        text: the phrase, or words with spaces between them.
        mode: one piece, or every word anywhere.
        max_errors: letters that may be misread, missing or too many; never more than one in six of a phrase or word.

    Raises:
        SettingsError: if the text has no letter.
    """

    text: str
    mode: TextMode = TextMode.EXACT_PHRASE
    max_errors: int = 1

    def __post_init__(self) -> None:
        if not self._parts():
            raise SettingsError(f"The wanted text must have a letter or digit; got {self.text!r}.")

    def __str__(self) -> str:
        return f"{self.mode}/{self.max_errors}/{' '.join(self._parts())}"

    def find(self, text: str) -> str | None:
        """The lines of ``text`` that carry the wanted one, in one piece; None if it is not there."""
        text = unicodedata.normalize("NFC", text)
        plain, origins = _plain(text)
        ends = [_end_of(part, plain, min(self.max_errors, len(part) // _LETTERS_PER_ERROR)) for part in self._parts()]
        found = [(max(0, end - len(part)), end) for part, end in zip(self._parts(), ends, strict=True) if end]
        if len(found) < len(ends):
            return None
        first = min(origins[start] for start, _ in found)
        last = max(origins[end - 1] for _, end in found)
        return snippet(text[text.rfind("\n", 0, first) + 1 : (text.find("\n", last) + 1 or len(text) + 1) - 1])

    def _parts(self) -> list[str]:
        texts = [self.text] if self.mode is TextMode.EXACT_PHRASE else self.text.split()
        return [part for part in (normalised(text) for text in texts) if part]


def normalised(text: str) -> str:
    """Letters and digits only, in one width, case and composition; no spaces or punctuation."""
    return _plain(unicodedata.normalize("NFC", text))[0]


def snippet(text: str) -> str:
    """The beginning of a text on one line."""
    line = " / ".join(part.strip() for part in text.splitlines() if part.strip())
    return line if len(line) <= _SNIPPET_CHARACTERS else f"{line[: _SNIPPET_CHARACTERS - 1]}…"


def _plain(text: str) -> tuple[str, list[int]]:
    """``text``, composed, normalised, and from where in it each char comes."""
    characters = [
        (char, at)
        for at, source in enumerate(text)
        for char in unicodedata.normalize("NFKC", source).casefold()
        if char.isalnum()
    ]
    return "".join(char for char, _ in characters), [at for _, at in characters]


def _end_of(wanted: str, text: str, max_errors: int) -> int:
    """Where the best place of ``wanted`` in ``text`` ends, with at most ``max_errors`` edits; 0 if it is not there.

    The exact place first; then Sellers' algorithm: an edit distance whose first row is free.
    """
    exact = text.find(wanted)
    if exact >= 0 or not max_errors:
        return exact + len(wanted) if exact >= 0 else 0
    column = list(range(len(wanted) + 1))
    best, best_end = max_errors + 1, 0
    for end, char in enumerate(text, start=1):
        diagonal, column[0] = column[0], 0
        for row, letter in enumerate(wanted, start=1):
            edited = min(column[row], column[row - 1]) + 1
            diagonal, column[row] = column[row], min(edited, diagonal + (letter != char))
        if column[-1] < best:
            best, best_end = column[-1], end
    return best_end
