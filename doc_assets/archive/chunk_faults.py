"""Faults of a chunk while a stage goes through it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.ledger.document_faults import StageFault
from doc_assets.archive.ledger.rows import Document
from doc_assets.datatypes import PhotoPayload
from doc_assets.faults import FaultCode
from doc_assets.util.isolation import Failure


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
