"""The collector of all metrics: it asks its sources at a scrape, side by side, behind one cache and one time limit."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from doc_assets.util.threads import in_background

_log = logging.getLogger(__name__)
_SHARE_OF_TIME = 0.05
"""Of the time at most that a source is being read, however slow it is and however often somebody asks."""
_SHOWN_LIFETIMES = 2
"""After which a reading is too old to be shown, though no newer one has come."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can be asked for metrics; ``read`` may take long, raise anything, and never come back."""

    name: str
    read: Callable[[], Iterable[Metric]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a source answered; ``families`` is None if it failed."""

    families: Sequence[Metric] | None
    ended_at: float
    seconds: float


class _CachedSource:
    """A source with its last reading and the one under way; there are never two at a time."""

    def __init__(self, source: Source, refresh_s: float, clock: Callable[[], float]) -> None:
        self.name = source.name
        self._source, self._refresh_s, self._clock = source, refresh_s, clock
        self._lock = threading.Lock()
        self._last: _Reading | None = None
        self._under_way: Future[None] | None = None

    def refresh(self) -> Future[None] | None:
        """Begins a reading if the last one's lifetime is over; returns the one under way, None if there is none."""
        with self._lock:
            is_due = self._last is None or self._clock() - self._last.ended_at >= self._lifetime_s(self._last)
            if is_due and self._under_way is None:
                self._under_way = in_background(self._read, self.name)
            return self._under_way

    def latest(self, asked_at: float) -> _Reading | None:
        """The last reading; None if it was too old at that time."""
        with self._lock:
            last = self._last
        if last is None or asked_at - last.ended_at > _SHOWN_LIFETIMES * self._lifetime_s(last):
            return None
        return last

    def _lifetime_s(self, reading: _Reading) -> float:
        return max(self._refresh_s, reading.seconds / (_SHARE_OF_TIME if reading.families is not None else 1))

    def _read(self) -> None:
        began, families = self._clock(), None
        try:
            families = list(self._source.read())
        except Exception as error:  # noqa: BLE001 - whatever breaks a source, the others must still be shown
            if self._last is None or self._last.families is not None:
                _log.warning("The metrics of %s cannot be read: %s: %s", self.name, type(error).__name__, error)
        ended = self._clock()
        with self._lock:
            self._last, self._under_way = _Reading(families, ended, ended - began), None


class SourceCollector(Collector):
    """Asks every source at a scrape.

    A scrape takes ``timeout_s`` at most: a source that is slower is shown as it was when it last answered, and its
    new answer at a later scrape. Readings live for ``refresh_s``, those of slow ones for twenty times their duration.
    ``clock`` gives seconds that only grow.
    """

    def __init__(
        self, sources: Iterable[Source], refresh_s: float, timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sources = [_CachedSource(source, refresh_s, clock) for source in sources]
        self._timeout_s, self._clock = timeout_s, clock

    def refresh(self, timeout_s: float) -> None:
        """Begins what is due and waits for what is under way, no longer than the limit."""
        wait([reading for source in self._sources if (reading := source.refresh()) is not None], timeout_s)

    @override
    def collect(self) -> Iterator[Metric]:
        asked_at = self._clock()  # no reading becomes too old because we wait for another source
        self.refresh(self._timeout_s)
        up = GaugeMetricFamily("doc_assets_source_up", "Whether a source of metrics answers.", labels=["source"])
        took = GaugeMetricFamily(
            "doc_assets_source_read_seconds", "How long the last reading of a source took.", labels=["source"]
        )
        shown: list[Metric] = []
        for source in self._sources:
            reading = source.latest(asked_at)
            families = reading.families if reading is not None else None
            up.add_metric([source.name], float(families is not None))
            if reading is not None:
                took.add_metric([source.name], reading.seconds)
            shown += families or ()
        yield up
        yield took
        yield from shown
