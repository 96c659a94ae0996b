"""Loop of a stage over the chunks of a drop, and what stages that make tables have in common.

A stage itself says how the rows of one chunk are made.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, made_with, provenance, require_photos
from doc_assets.archive.chunks import ChunkFaults, photos_left_out, with_current
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.tables import Provenance, count_rows, read_provenance
from doc_assets.util.progress import track

Result = TypeVar("Result")


def run_stage(
    archive: Archive,
    stage: Stage,
    label: str,
    drop_key: str,
    now: datetime,
    work: Callable[[Chunk], Result],
    *,
    finish: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Results of a stage's work on the chunks of a drop, in order; the stage then counts as completed.

    ``work`` does one chunk, or finds that it is up to date; ``finish`` makes the work durable before it counts.

    Raises:
        SetupError: if the ledger knows no such drop; whatever else ``work`` raises. The stage is not completed then.
    """
    chunks = archive.chunks(drop_key)
    results = [work(chunk) for chunk in track(chunks, label, len(chunks))]
    finish()
    archive.ledger.documents.complete_stage(drop_key, stage, now)
    return results


@dataclass(frozen=True, slots=True)
class DueTable:
    """A table of a chunk that has to be made.

    Attributes:
        chunk: whose table it is.
        documents: current documents of the chunk; the table is about these.
        path: where it goes.
        provenance: what it is made with and from.
        faults: takes what is left out; they are filed before the table appears.
        is_retry: whether a table of this provenance is there and lacks what an earlier run left out.
    """

    chunk: Chunk
    documents: Sequence[Document]
    path: UPath
    provenance: Provenance
    faults: ChunkFaults
    is_retry: bool


def due_table(archive: Archive, stage: Stage, chunk: Chunk, documents: list[Document], path: UPath) -> DueTable | None:
    """The table at ``path`` if it is missing, stale or lacks what an earlier run left out; None if it is up to date."""
    wanted = provenance(stage.version, documents)
    faults = ChunkFaults(stage.name, stage.target, documents)
    is_there = read_provenance(path) == wanted
    if is_there and not faults.are_known(archive):
        return None
    return DueTable(chunk, documents, path, wanted, faults, is_retry=is_there)


@dataclass(frozen=True, slots=True)
class PhotoStage:
    """A stage that makes a table of each chunk from the photos of the chunk.

    Attributes:
        name: of the stage in the ledger.
        maker: id of what makes the rows; the same photos have a table for each of them.
        photos_version: version that the photos must have.
        label: of the loop's progress.
        shard: path of a chunk's table by a maker.
        make: writes a table that is due and returns its number of rows.
    """

    name: str
    maker: str
    photos_version: str
    label: str
    shard: Callable[[Chunk, str], UPath]
    make: Callable[[DueTable], int]


@dataclass(frozen=True, slots=True)
class PhotoStageReport:
    """Numbers of a drop's photos and of the rows made from them.

    Attributes:
        photos: rows of the drop's photo shards.
        rows: rows of the shards made from these.
        made_now: rows made in this run; the others were up to date.
        left_out: photos without a row, each a fault in the ledger; with the rows they add up to the photos.
        seconds: time spent.
    """

    photos: int
    rows: int
    made_now: int
    left_out: int
    seconds: float

    @property
    def adds_up(self) -> bool:
        """Whether every photo has its row or its fault."""
        return self.photos == self.rows + self.left_out

    @property
    def photos_per_second(self) -> float:
        """Rows made per second, 0 if all were up to date."""
        return self.made_now / self.seconds if self.made_now else 0.0


def run_photo_stage(archive: Archive, stage: PhotoStage, drop_key: str, now: datetime) -> PhotoStageReport:
    """Makes the tables of a drop that are due; those that are up to date stay.

    Raises:
        SetupError: if the drop's photos were not cut with the version that the stage asks for.
    """
    began = time.monotonic()
    filed = Stage(stage.name, stage.maker, made_with(stage.maker, stage.photos_version))

    def work(chunk: Chunk) -> tuple[int, int, int, int]:
        path = stage.shard(chunk, stage.maker)

        def make(documents: list[Document]) -> int:
            require_photos(archive, chunk, documents, stage.photos_version)
            table = due_table(archive, filed, chunk, documents, path)
            return 0 if table is None else stage.make(table)

        made_now = with_current(archive, chunk, make)
        left_out = photos_left_out(archive, stage.name, stage.maker, chunk)
        return count_rows(archive.photo_shard(chunk)), count_rows(path), made_now, left_out

    counts = run_stage(archive, filed, stage.label, drop_key, now, work)
    photos, rows, made_now, left_out = (sum(each[i] for each in counts) for i in range(4))
    return PhotoStageReport(photos, rows, made_now, left_out, time.monotonic() - began)
