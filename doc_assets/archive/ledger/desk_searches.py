"""Searches that people of the review desk asked for: who, when, with which files, and how they ended.

What was found is in ``searches`` under the id of the run. Files have names of their own there (``label``), so that what
a person calls a file stands in this table alone and never acts as the name of a document.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from doc_assets.archive.ledger.database import LedgerPart
from doc_assets.archive.ledger.rows import columns_of
from doc_assets.archive.ledger.schema import DeskFile, DeskSearchRow, Search, SearchResult


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that somebody searches for.

    Attributes:
        name: what its sender calls it, untrusted.
        document_id: of a document of this name.
        label: names it in the search and on disk.
        sha256: of its bytes.
        size_bytes: of it.
    """

    name: str
    document_id: str
    label: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DeskSearch:
    """A search of the review desk.

    Attributes:
        number: of it, never given twice.
        requested_by: the person.
        asked_at: when.
        folder: name of the folder of its files below the uploads.
        keeps: whether files and pictures stay until it is deleted; else they leave when it ends.
        run_id: of its run, by which ``searches`` has the result; None if none was started.
        ended_at: when the run had ended; None while it waits or works.
        failure: why there is no result, as ``Code: sentence``; None if there is one.
    """

    number: int
    requested_by: str
    asked_at: datetime
    folder: str
    keeps: bool
    run_id: str | None = None
    ended_at: datetime | None = None
    failure: str | None = None


_ROWS = select(*columns_of(DeskSearch, DeskSearchRow))
_FILES = select(DeskFile.number, *columns_of(GivenFile, DeskFile)).order_by(DeskFile.position)


class DeskSearchLedger(LedgerPart):
    """The tables ``desk_searches`` and ``desk_files``."""

    def add(self, person: str, now: datetime, folder: str, files: Sequence[GivenFile], *, keeps: bool) -> int:
        """Files a search that is about to be started; returns its number."""
        values = {"requested_by": person, "asked_at": now, "folder": folder, "keeps": keeps}
        with self._database.writing() as connection:
            made = connection.execute(insert(DeskSearchRow).returning(DeskSearchRow.number), values)
            number = int(made.scalar_one())
            rows = [{"number": number, "position": at} | asdict(file) for at, file in enumerate(files)]
            connection.execute(insert(DeskFile), rows)
        return number

    def started(self, number: int, run_id: str) -> None:
        """Files the run of a search."""
        self._update(number, run_id=run_id)

    def end(self, number: int, now: datetime, failure: str | None = None) -> None:
        """Files that its run has ended; the first end counts."""
        with self._database.writing() as connection:
            is_open = (DeskSearchRow.number == number) & DeskSearchRow.ended_at.is_(None)
            connection.execute(update(DeskSearchRow).where(is_open).values(ended_at=now, failure=failure))

    def get(self, number: int) -> DeskSearch | None:
        """A search; None if there is none of that number."""
        found = self._database.rows(_ROWS.where(DeskSearchRow.number == number))
        return DeskSearch(*found[0]) if found else None

    def page(self, limit: int, before: int | None = None, person: str | None = None) -> list[DeskSearch]:
        """At most ``limit`` searches, the newest first: those below the number ``before``, of one person or of all."""
        query = _ROWS.order_by(DeskSearchRow.number.desc()).limit(limit)
        if before is not None:
            query = query.where(DeskSearchRow.number < before)
        if person is not None:
            query = query.where(DeskSearchRow.requested_by == person)
        return [DeskSearch(*row) for row in self._database.rows(query)]

    def unended(self) -> list[DeskSearch]:
        """Those that wait or work, the oldest first."""
        query = _ROWS.where(DeskSearchRow.ended_at.is_(None)).order_by(DeskSearchRow.number)
        return [DeskSearch(*row) for row in self._database.rows(query)]

    def files(self, numbers: Collection[int]) -> dict[int, list[GivenFile]]:
        """The files of searches in the order they were given, by number."""
        found: dict[int, list[GivenFile]] = {number: [] for number in numbers}
        for number, *values in self._database.rows_in(_FILES, DeskFile.number, numbers):
            found[number].append(GivenFile(*values))
        return found

    def n_files_waiting(self, person: str) -> int:
        """Files of one person in searches that have not ended."""
        query = (
            select(func.count())
            .select_from(DeskFile)
            .join(DeskSearchRow, DeskSearchRow.number == DeskFile.number)
            .where(DeskSearchRow.requested_by == person, DeskSearchRow.ended_at.is_(None))
        )
        return int(self._database.values(query)[0])

    def about(self, document_ids: Collection[str], digests: Collection[str]) -> list[DeskSearch]:
        """Searches with a file of one of these names or contents."""
        named = self._database.rows_in(select(DeskFile.number), DeskFile.document_id, document_ids)
        same = self._database.rows_in(select(DeskFile.number), DeskFile.sha256, digests)
        numbers = sorted({row.number for row in (*named, *same)})
        return [DeskSearch(*row) for row in self._database.rows_in(_ROWS, DeskSearchRow.number, numbers)]

    def remove(self, number: int) -> None:
        """Removes a search with its files' rows and what it found."""
        found = self.get(number)
        if found is None:
            return
        with self._database.writing() as connection:
            if found.run_id is not None:
                connection.execute(delete(SearchResult).where(SearchResult.search_id == found.run_id))
                connection.execute(delete(Search).where(Search.search_id == found.run_id))
            connection.execute(delete(DeskFile).where(DeskFile.number == number))
            connection.execute(delete(DeskSearchRow).where(DeskSearchRow.number == number))

    def _update(self, number: int, **values: object) -> None:
        with self._database.writing() as connection:
            connection.execute(update(DeskSearchRow).where(DeskSearchRow.number == number).values(**values))
