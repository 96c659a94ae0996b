"""How a long loop tells whoever watches how far it is.

The loop calls ``track``; the command line shows a bar, a Dagster run writes a log line now and then,
a test sees nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class ProgressSink(Protocol):
    """Somebody who watches."""

    def start(self, what: str, total: int) -> None:
        """``total`` steps of ``what`` begin."""

    def advance(self, what: str) -> None:
        """One step of ``what`` is done."""

    def finish(self, what: str) -> None:
        """``what`` is over, finished or given up."""


_sinks: ContextVar[tuple[ProgressSink, ...]] = ContextVar("progress_sinks", default=())


@contextmanager
def watched_by(sink: ProgressSink) -> Iterator[None]:
    """Within the block, ``sink`` hears of every tracked loop of this context."""
    token = _sinks.set((*_sinks.get(), sink))
    try:
        yield
    finally:
        _sinks.reset(token)


def track(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """The items, while telling the watchers; a step counts as done when the next one is asked for."""
    sinks = _sinks.get()
    for sink in sinks:
        sink.start(what, total)
    try:
        for item in items:
            yield item
            for sink in sinks:
                sink.advance(what)
    finally:
        for sink in sinks:
            sink.finish(what)
