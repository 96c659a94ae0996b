"""What every stage needs of a chunk: its current documents alone in its tables, and the faults of its documents.

Documents that a newer version replaced are taken out of the tables of older drops. Points need no such step: a
document's points are replaced as a whole when its new version is indexed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk, provenance
from doc_assets.archive.ledger.document_faults import StageFault
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.tables import column_names, keep_rows, read_provenance, read_rows
from doc_assets.datatypes import PhotoPayload
from doc_assets.errors import SetupError
from doc_assets.faults import FaultCode
from doc_assets.util.isolation import Failure

Result = TypeVar("Result")


def remove_superseded(archive: Archive, chunk: Chunk) -> None:
    """Rewrites tables of earlier chunks that hold older versions of this chunk's documents.

    What to rewrite follows from the ledger and the provenance of the tables alone, so a killed run loses nothing.
    """
    for positions_of_older in archive.ledger.documents.chunks_superseded_by(chunk.drop_key, chunk.positions):
        prune_chunk(archive, Chunk(*positions_of_older))


def prune_chunk(archive: Archive, chunk: Chunk) -> None:
    """Rewrites a chunk's tables without the documents that are no longer current; a table without any stays, empty.

    Their provenance is that of the documents left, so nothing of these is made again. Another run may replace
    documents of the chunk and prune it at the same time; whoever is last has seen all.
    """
    kept: list[Document] | None = None
    while kept is None or _ids(kept) != _ids(archive.current(chunk)):
        kept = archive.current(chunk)
        for shard in (archive.photo_shard(chunk), *archive.derived_shards(chunk)):
            _prune(archive, shard, kept)


def with_current(archive: Archive, chunk: Chunk, work: Callable[[list[Document]], Result]) -> Result:
    """Does a step's work on the documents of a chunk that are current, and again if that changed meanwhile.

    Another run may read newer versions of the chunk's documents at any moment. What the work then made, or failed by,
    is of yesterday; each document can be replaced but once by an arrival, so this ends.
    """
    while True:
        prune_chunk(archive, chunk)
        documents = archive.current(chunk)
        try:
            done = work(documents)
        except (SetupError, KeyError, FileNotFoundError):
            if _ids(archive.current(chunk)) == _ids(documents):
                raise
            continue
        if _ids(archive.current(chunk)) == _ids(documents):
            return done


def _ids(documents: list[Document]) -> list[int]:
    return [document.id for document in documents]


def _holds_all(archive: Archive, path: UPath, kept: list[Document]) -> bool:
    """Whether a table was made from all of these documents: one that was read only now is in none and must be made."""
    if any(document.n_photos is None for document in kept):
        return False
    if not {"photo_index", "sha256"} <= set(column_names(path)):  # of pages, and written before that of photos
        return True
    rows = Counter((row["document_id"], row["sha256"]) for row in read_rows(path, ["document_id", "sha256"], 1024))
    lacking = archive.ledger.faults.photos_lacking([document.id for document in kept])
    return all(
        document.n_photos - lacking.get(document.id, 0)
        <= rows[document.document_id, str(document.sha256)]
        <= document.n_photos
        for document in kept
        if document.n_photos is not None
    )


def _prune(archive: Archive, path: UPath, kept: list[Document]) -> None:
    found = read_provenance(path)
    if found is None:
        return
    wanted = provenance(found.made_with, kept)
    if found == wanted or not _holds_all(archive, path, kept):
        return
    keep_rows(path, wanted, {(document.document_id, str(document.sha256)) for document in kept})


@dataclass(slots=True)
class ChunkFaults:
    """What one stage leaves out of the current documents of a chunk.

    Attributes:
        stage, target: of the lineage; see ``schema.DropStage``.
        documents: of the chunk.
    """

    stage: str
    target: str
    documents: Sequence[Document]
    _found: dict[str, list[StageFault]] = field(default_factory=lambda: defaultdict(list))

    def are_known(self, archive: Archive) -> bool:
        """Whether an earlier run left something out, so that the stage is due again."""
        return bool(archive.ledger.faults.of(self.stage, self.target, [document.id for document in self.documents]))

    def add(
        self, document_id: str, failure: Failure, page_index: int | None = None, photo_index: int | None = None
    ) -> None:
        """Notes a page, a photo or a whole document that is left out."""
        code = failure.code or str(FaultCode.FAILED)
        self._found[document_id].append(StageFault(code, failure.reason, page_index, photo_index))

    def add_photo(self, photo: PhotoPayload, failure: Failure) -> None:
        """Notes a photo that is left out."""
        self.add(photo.document_id, failure, photo.page_index, photo.photo_index)

    def file(self, archive: Archive) -> None:
        """Files them in place of what was left out before; done before a table appears that lacks them."""
        rows = {document.document_id: document.id for document in self.documents}
        found = {rows[name]: faults for name, faults in self._found.items() if name in rows}
        archive.ledger.faults.record(self.stage, self.target, list(rows.values()), found)


def photos_left_out(archive: Archive, stage: str, target: str, chunk: Chunk) -> int:
    """How many photos of a chunk's current documents a stage left out."""
    found = archive.ledger.faults.of(stage, target, [document.id for document in archive.current(chunk)])
    return sum(fault.photo_index is not None for faults in found.values() for fault in faults)
