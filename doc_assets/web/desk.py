"""What the pages of the desk need of a home, opened once for the process."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from doc_assets.archive.archive import Archive
from doc_assets.archive.photo_lookup import ArchivePictures
from doc_assets.archive.vectors.base import embedder_of, features_of
from doc_assets.ops.metrics.service import make_registry
from doc_assets.ops.rate_limit import RateLimit
from doc_assets.pipeline.comparing import Comparer
from doc_assets.reports.redaction import Redactor, built_in_redactor
from doc_assets.runtime import Runtime
from doc_assets.search.matching import Verifier
from doc_assets.web.search_runs import SearchRuns
from doc_assets.web.searching import Searches


class Desk:
    """A home as the desk sees it.

    Args:
        runtime: of the home.
        runs: where searches are carried out; None for a desk that carries out none.

    Attributes:
        archive: ledger and tables.
        pictures: photos and pages.
        drawing: held while a page is decoded; the decoder serves one at a time.
        searches: of people, by files.
        limit: of requests of programs, by address and by key.
        image_faults: what keeps documents from being given by key; says nothing where none are.
        redactor: pixelates faces.
    """

    def __init__(self, runtime: Runtime, runs: SearchRuns | None = None) -> None:
        self.runtime, self._runs = runtime, runs
        self._open = contextlib.ExitStack()
        self.drawing = Lock()
        self.limit = RateLimit(runtime.settings.image_api_rate)
        self.image_faults: Callable[[], list[str]] = list
        self._counting = Lock()
        self._registry: CollectorRegistry | None = None
        self.archive: Archive
        self.pictures: ArchivePictures
        self.searches: Searches
        self.redactor: Redactor

    def __enter__(self) -> Self:
        self.redactor = built_in_redactor()  # first: without it there are no pictures
        self.archive = self._open.enter_context(self.runtime.archive())
        reader = self._open.enter_context(self.runtime.reader())
        self.pictures = ArchivePictures(self.archive, reader)
        self.searches = Searches(self.runtime.settings, self.archive.ledger, self._runs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @cached_property
    def comparer(self) -> Comparer | None:
        """Compares two documents by what the collection in use was made of; None while there is none."""
        used = self.archive.ledger.collections.last("in_use")
        if used is None:
            return None
        embedder_id, thresholds = embedder_of(used.name), self.runtime.request().thresholds
        verifier = Verifier.of(self.archive, features_of(used.name), self.runtime.pair_model(embedder_id))
        return Comparer(self.archive, verifier, embedder_id, thresholds)

    @property
    def lease(self) -> timedelta:
        """How long a case is kept for whoever opened it."""
        return timedelta(minutes=self.runtime.settings.review_lease_minutes)

    @property
    def registry(self) -> CollectorRegistry:
        """Metrics of the home without Dagster's records; read by their sources when they were asked for first."""
        with self._counting:
            if self._registry is None:
                self._registry = make_registry(self.runtime.settings, None, None, first_reading_s=0)
            return self._registry

    def now(self) -> datetime:
        """The time, aware."""
        return datetime.now(UTC)


_open: list[Desk] = []


def use(desk: Desk) -> None:
    """Makes this the desk of the process's pages."""
    _open[:] = [desk]


def the_desk() -> Desk:
    """The desk of this process.

    Raises:
        RuntimeError: if none was opened.
    """
    if not _open:
        raise RuntimeError("no desk is open in this process")
    return _open[0]
