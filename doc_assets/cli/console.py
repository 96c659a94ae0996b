"""Where commands print: tables and text to standard output, progress to the terminal."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from doc_assets.util.progress import watched_by
from doc_assets.util.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from doc_assets.archive.ledger.results import ResultRecord
    from doc_assets.sources.sources import KeyProblem

_WIDTH_OF_FILES = 200
_MAX_LISTED = 50


def console() -> "Console":
    """Standard output; runs no code and reads no markup of file names, and cuts nothing when it is no terminal."""
    width = None if sys.stdout.isatty() else _WIDTH_OF_FILES
    return _safe_console()(markup=False, emoji=False, highlight=False, soft_wrap=True, width=width)


def show_table(columns: Sequence[str], rows: Iterable[Iterable[object]], title: str | None = None) -> None:
    """A table; a cell that is None stays empty."""
    from rich.table import Table

    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(table)


def show_place(offset: int, shown: int, total: int) -> None:
    """Which part of a longer list was shown."""
    console().print(f"{offset + 1 if shown else 0} to {offset + shown} of {total}")


def print_first(lines: Sequence[str]) -> None:
    """The first of some lines, indented, and how many more there are."""
    for line in lines[:_MAX_LISTED]:
        console().print(f"  {line}")
    if len(lines) > _MAX_LISTED:
        console().print(f"  ... and {len(lines) - _MAX_LISTED} more")


def print_lines(lines: Iterable[str]) -> None:
    """Each of these on a line of its own."""
    for line in lines:
        console().print(line)


def print_date_faults(faults: Sequence[str], total: int | None = None) -> None:
    """Rows whose date cannot be used, at least the first of ``total``."""
    if not faults:
        return
    n_faults = total or len(faults)
    console().print(f"{n_faults} dates cannot be used; these documents are dated by their names or arrivals:")
    for fault in faults[:_MAX_LISTED]:
        console().print(f"  {fault}")
    if n_faults > _MAX_LISTED:
        console().print(f"  ... and {n_faults - _MAX_LISTED} more.")


def print_key_problems(problems: "Sequence[KeyProblem]") -> None:
    """Keys that gave no document, and paths that could not be looked into."""
    if not problems:
        return
    rows = (
        (problem.row.key, problem.row.line if problem.is_of_table else None, problem.state, problem.reason)
        for problem in problems[:_MAX_LISTED]
    )
    show_table(("key or path", "line", "state", "reason"), rows)
    if len(problems) > _MAX_LISTED:
        console().print(f"... and {len(problems) - _MAX_LISTED} more; `doc-assets resolve-keys --manifest` lists all.")


@cache
def _safe_console() -> "type[Console]":
    """A console that writes hidden characters of any text and any cell of a table as their codes.

    Rich is imported when a command prints, so that none waits for it that only ends with an error.
    """
    from rich.console import Console
    from rich.text import Text

    class SafeConsole(Console):
        @override
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(visible(text, lines=True), **options)

    return SafeConsole


class _Bars:
    """A ``ProgressSink`` that draws a bar for each loop."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def start(self, what: str, total: int) -> None:
        """A loop begins."""
        self._bars[what] = self._progress.add_task(what, total=total)

    def advance(self, what: str) -> None:
        """One step is done."""
        self._progress.advance(self._bars[what])

    def finish(self, what: str) -> None:
        """The loop is over; its bar goes."""
        self._progress.remove_task(self._bars.pop(what))


@contextmanager
def progress_bars() -> Iterator[None]:
    """Draws bars for tracked loops while the block runs, if standard error is a terminal.

    Dagster redirects file descriptor 2 while a step runs, so bars go to a copy of it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with os.fdopen(os.dup(2), "w", encoding="utf-8") as terminal:
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=terminal),
            transient=True,
            disable=not terminal.isatty(),
        )
        with bars, watched_by(_Bars(bars)):
            yield


def print_lacking(results: "Sequence[ResultRecord]") -> None:
    """The documents that the error of a run gives by their places, by name; nothing if there are none."""
    from doc_assets.search.completeness import all_in_words

    rows = [(each.position + 1, each.query_document, all_in_words(each.faults)) for each in results if each.faults]
    if rows:
        show_table(("place", "document", "lacks"), rows[:_MAX_LISTED])
