"""Sources of figures, and the collector that asks them with a time limit and no more often than it may."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

_log = logging.getLogger(__name__)
_SHARE_OF_TIME = 0.05
"""Of the time at most that a source is being read, however slow it is and however often somebody asks."""
_LATEST_AGES = 2
"""Intervals after which an answer is too old to be shown."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can be asked for figures.

    Attributes:
        name: label of its health.
        read: reads them; may take long, raise anything, and never come back.
        probe: a quick question that raises when the source is away, for those that are read seldom because reading them
            takes long; None for those that are always quick.
    """

    name: str
    read: Callable[[], Iterable[Metric]]
    probe: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a reading came to; ``families`` is None if it failed."""

    families: Sequence[Metric] | None
    read_at: float
    seconds: float


class _Reader:
    """Reads a source, or only asks whether it is there, in a thread of its own; never twice at a time."""

    def __init__(self, source: Source, refresh_s: float, clock: Callable[[], float]) -> None:
        self.name = source.name
        self._source, self._refresh_s, self._clock = source, refresh_s, clock
        self._lock = threading.Lock()
        self._last: _Answer | None = None
        self._looked_at = self._began_at = -float("inf")
        self._coming: threading.Event | None = None

    def start(self) -> threading.Event | None:
        """Begins to look if it is time; returns what tells of the end, None if the last answer still holds."""
        with self._lock:
            now = self._clock()
            if self._coming is None and now - self._looked_at >= self._refresh_s:
                is_due = self._last is None or now - self._last.read_at >= self._interval_s(self._last)
                look = self._read if is_due else self._probe if self._source.probe else None
                if look is not None:
                    self._began_at, self._coming = now, threading.Event()
                    threading.Thread(target=self._look, args=[look, self._coming], name=self.name, daemon=True).start()
            return self._coming

    def answer(self, asked_at: float) -> _Answer | None:
        """The last answer; None if it was too old when we were asked, or the source keeps us waiting."""
        with self._lock:
            last, now = self._last, self._clock()
            if last is None or asked_at - last.read_at > _LATEST_AGES * self._interval_s(last):
                return None
            waits = self._coming is not None and now - self._began_at > self._refresh_s + _LATEST_AGES * last.seconds
            return None if waits else last

    def _interval_s(self, last: _Answer) -> float:
        return max(self._refresh_s, last.seconds / (_SHARE_OF_TIME if last.families is not None else 1))

    def _look(self, look: Callable[[], _Answer | None], done: threading.Event) -> None:
        began = self._clock()
        try:
            answer = look()
        except Exception as error:  # noqa: BLE001 - whatever breaks a source, the others must still be shown
            if self._last is None or self._last.families is not None:
                _log.warning("The figures of %s cannot be read: %s: %s", self.name, type(error).__name__, error)
            answer = _Answer(None, self._clock(), self._clock() - began)
        with self._lock:
            self._last, self._looked_at, self._coming = answer, self._clock(), None
        done.set()

    def _read(self) -> _Answer:
        began = self._clock()
        families = list(self._source.read())
        return _Answer(families, self._clock(), self._clock() - began)

    def _probe(self) -> _Answer | None:
        if self._source.probe is not None:
            self._source.probe()
        return self._last


class SourceCollector(Collector):
    """Asks every source at a scrape.

    A scrape takes ``timeout_s`` at most: a source that is slower is shown as it was when it last answered, and its
    new answer at a later scrape. Answers are kept for ``refresh_s``, those of slow sources for twenty times as long as
    they take; meanwhile these are only asked whether they are there.

    Args:
        sources: with names of their own.
        refresh_s: seconds between two looks at a source.
        timeout_s: of a scrape.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        refresh_s: float,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._readers = [_Reader(source, refresh_s, clock) for source in sources]
        self._timeout_s, self._clock = timeout_s, clock

    def look(self, timeout_s: float) -> None:
        """Begins to read what is due and waits for it, no longer than the limit."""
        coming = [event for reader in self._readers if (event := reader.start()) is not None]
        until = time.monotonic() + timeout_s
        for event in coming:
            event.wait(max(0.0, until - time.monotonic()))

    @override
    def collect(self) -> Iterator[Metric]:
        asked_at = self._clock()  # no answer becomes too old because we wait for another source
        self.look(self._timeout_s)
        up = GaugeMetricFamily("doc_assets_source_up", "Whether a source of figures answers.", labels=["source"])
        took = GaugeMetricFamily(
            "doc_assets_source_read_seconds", "How long the last reading of a source took.", labels=["source"]
        )
        shown: list[Metric] = []
        for reader in self._readers:
            answer = reader.answer(asked_at)
            families = answer.families if answer is not None else None
            up.add_metric([reader.name], float(families is not None))
            if answer is not None:
                took.add_metric([reader.name], answer.seconds)
            shown += families or ()
        yield up
        yield took
        yield from shown
