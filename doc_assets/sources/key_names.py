"""How a key names files: the same key in other letters, and the names the archive stores its documents under.

The archive's files carry a token before the key's last characters and a number behind them: the documents of key
``N2024...THA00001`` are ``N2024...THA00100001_12.tif``, ``N2024...THA00100001_13.tif`` and so on.
"""

import fnmatch
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from doc_assets.errors import SettingsError
from doc_assets.sources.names import document_id

_WILDCARD = re.compile(r"[*?\[]")
_NUMBERED = re.compile(r"_\d+$")
_LONGEST_TOKEN = 16


def require_token(token: str) -> None:
    """Refuses a token that no archive carries in the names of its files.

    Earlier versions of ``doc-assets init`` wrote a random secret of 43 characters into this setting.

    Raises:
        SettingsError: if it is too long or holds what no file name holds.
    """
    if len(token) > _LONGEST_TOKEN:
        raise SettingsError(
            f"a token of {len(token)} characters stands in no file name, so most keys find no file; it looks like a "
            f"secret that an earlier `doc-assets init` generated. Remove the line from .env (the default is "
            f"{NameRule().insert_token!r}), or name the token of your archive, at most {_LONGEST_TOKEN} characters."
        )
    if not token.isprintable() or any(char in token for char in "/\\*?[]"):
        raise SettingsError(f"{token!r} cannot stand in a file name; name the token of your archive.")


def normalised(key: str) -> str:
    """The same text for keys that differ in case, width or composition only."""
    return unicodedata.normalize("NFKC", key).strip().casefold()


@dataclass(frozen=True, slots=True)
class NameTry:
    """One way in which a key may name files.

    Attributes:
        shown: the name as people write it, with the pattern if there is one.
        stem: normalised name without suffix, or what it begins with.
        pattern: glob of what follows ``stem`` in a normalised name; None if nothing may follow.
    """

    shown: str
    stem: str
    pattern: str | None

    @property
    def begins(self) -> str:
        """What every normalised name that is meant begins with.

        The pattern's first characters belong to it: a short key would have half the archive looked through otherwise.
        """
        return self.stem + _WILDCARD.split(self.pattern or "", maxsplit=1)[0]

    def accepts(self, folded_name: str) -> bool:
        """Whether a file of this normalised name, without suffix, is meant; the key itself is never a pattern."""
        if self.pattern is None:
            return folded_name == self.stem
        rest = folded_name.removeprefix(self.stem)
        return len(rest) < len(folded_name) and fnmatch.fnmatchcase(rest, self.pattern)


@dataclass(frozen=True, slots=True)
class NameRule:
    """How the archive names the files of a key.

    Attributes:
        tail_len: the token is inserted before this many last characters of the key; 0 for no token.
        insert_token: the token.
        glob_suffix: what follows, as a glob with the file's suffix.
    """

    tail_len: int = 5
    insert_token: str = "001"
    glob_suffix: str = "_*.tif"

    def tries(self, key: str) -> Iterator[NameTry]:
        """Names to look for, in this order; the first that any file has counts, with all its files.

        An ending that is left in the key belongs to the name, as in the file ``a.tif.tif``.
        """
        has_token = self.tail_len and self.insert_token and len(key) > self.tail_len
        mapped = [f"{key[: -self.tail_len]}{self.insert_token}{key[-self.tail_len :]}"] if has_token else []
        suffix = document_id(self.glob_suffix)
        yield NameTry(key, normalised(key), None)
        for name in (*mapped, key):
            yield NameTry(f"{name}{suffix}", normalised(name), normalised(suffix))
        for name in mapped:
            yield NameTry(name, normalised(name), None)

    def keys_of(self, name: str) -> Iterator[str]:
        """Normalised keys whose documents may be called ``name`` (without suffix), the likeliest first."""
        folded = normalised(name)
        yield folded
        stem = _NUMBERED.sub("", folded)
        token, tail = normalised(self.insert_token), self.tail_len
        if tail and token and stem[:-tail].endswith(token):
            yield stem[: -len(token) - tail] + stem[-tail:]
        if stem != folded:
            yield stem
