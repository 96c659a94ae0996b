"""Keys -> files: every file of a key, or why there is none."""

import filecmp
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from upath import UPath

from doc_assets.sources.file_index import FileIndex, IndexedFile, root_name
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.key_tables.table import KeyRow
from doc_assets.sources.names import display_name, real_path
from doc_assets.util.isolation import Failure, attempt

_MOST_NAMED = 3


class KeyState(StrEnum):
    """What became of a key."""

    FOUND = "found"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a key was found to name.

    Attributes:
        row: the key.
        state: found, missing or ambiguous.
        files: stored paths of its files, by name; of an ambiguous key everything that may be meant.
        tried: the names that were looked for.
        reason: why it is missing or ambiguous; empty if it was found.
    """

    row: KeyRow
    state: KeyState
    files: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Looks keys up in an index.

    Attributes:
        index: of the roots, up to date.
        roots: where to look.
        rule: how keys name files.
        any_depth: whether files below the roots' subfolders count.
        hidden: folders that could not be looked into; a key that is missing may have its file there.
    """

    index: FileIndex
    roots: tuple[UPath, ...]
    rule: NameRule
    any_depth: bool = True
    hidden: tuple[str, ...] = ()

    def resolve(self, rows: Iterable[KeyRow]) -> Iterator[Resolution]:
        """One answer per row, in their order."""
        names = [root_name(root) for root in self.roots]
        for row in rows:
            found = attempt(f"line {row.line} of the key table", partial(self._one, row, names))
            if isinstance(found, Failure):
                found = Resolution(row, KeyState.FAILED, reason=f"it could not be looked up: {found.reason}")
            yield found

    def _one(self, row: KeyRow, roots: Sequence[str]) -> Resolution:
        tried: list[str] = []
        for name in self.rule.tries(row.key):
            tried.append(name.shown)
            candidates = self.index.find(name.begins, roots, begins=name.pattern is not None)
            found = [file for file in candidates if name.accepts(file.folded) and (self.any_depth or file.at_top)]
            if found:
                return _settled(row, found, tuple(tried))
        where = ", ".join(roots)
        reason = f"no file of this key in {where}; looked for {', '.join(tried)}{self._hidden()}"
        return Resolution(row, KeyState.MISSING, (), tuple(tried), display_name(reason))

    def _hidden(self) -> str:
        if not self.hidden:
            return ""
        named = ", ".join(self.hidden[:_MOST_NAMED])
        return f"; {len(self.hidden)} folders could not be looked into and may have it: {named}"


def _settled(row: KeyRow, found: Sequence[IndexedFile], tried: tuple[str, ...]) -> Resolution:
    """The files of a key; one document that lies in several places counts once if it is the same everywhere."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for file in found:
        by_name[file.folded].append(file.path)
    files = []
    for name, paths in sorted(by_name.items()):
        paths.sort()
        if any(not _same(paths[0], other) for other in paths[1:]):
            reason = f"{len(paths)} different files are called {name}: {', '.join(paths)}"
            return Resolution(row, KeyState.AMBIGUOUS, tuple(paths), tried, display_name(reason))
        files.append(paths[0])
    return Resolution(row, KeyState.FOUND, tuple(files), tried)


def _same(one: str, other: str) -> bool:
    """Whether two files hold the same bytes; those that cannot be compared count as different."""
    if "://" in one or "://" in other:
        return False
    try:
        return filecmp.cmp(real_path(one), real_path(other), shallow=False)
    except OSError:
        return False
