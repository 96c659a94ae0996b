"""What the pages of the desk need of a home, opened once for the process."""

import contextlib
from datetime import UTC, datetime, timedelta
from threading import Lock
from types import TracebackType
from typing import Self

from doc_assets.archive.archive import Archive
from doc_assets.archive.photo_lookup import ArchivePictures
from doc_assets.reports.redaction import Redactor, built_in_redactor
from doc_assets.runtime import Runtime


class Desk:
    """A home as the desk sees it.

    Args:
        runtime: of the home.

    Attributes:
        archive: ledger and tables.
        pictures: photos and pages.
        drawing: held while a page is decoded; the decoder serves one at a time.
        redactor: pixelates faces.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._open = contextlib.ExitStack()
        self.drawing = Lock()
        self.archive: Archive
        self.pictures: ArchivePictures
        self.redactor: Redactor

    def __enter__(self) -> Self:
        self.redactor = built_in_redactor()  # first: without it there are no pictures
        self.archive = self._open.enter_context(self.runtime.archive())
        reader = self._open.enter_context(self.runtime.reader())
        self.pictures = ArchivePictures(self.archive, reader)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def lease(self) -> timedelta:
        """How long a case is kept for whoever opened it."""
        return timedelta(minutes=self.runtime.settings.review_lease_minutes)

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
