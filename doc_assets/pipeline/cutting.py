"""Stage ``photos``: the pages of a drop's documents -> photos in Parquet shards."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.page_sizes import PageOf
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.pruning import with_current
from doc_assets.archive.shards import StoredPhoto, write_page_texts, write_photos
from doc_assets.datatypes import Page, PhotoCrop, PhotoPayload
from doc_assets.photos.cutter import PhotoCutter
from doc_assets.pipeline.stage import DueTable, due_table, run_stage
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reading.text.finder import PageFinder
from doc_assets.sources.staging import read_staged
from doc_assets.util.isolation import Failure, attempt

STAGE = "photos"


@dataclass(slots=True)
class PhotosReport:
    """What was found in a drop.

    Attributes:
        documents: current documents of the drop.
        photos: their photos.
        documents_by_count: how many documents have how many photos.
        chunks_made: chunks that were cut in this run; the others were up to date.
        pages_unread: pages of them whose text could not be read; they were looked at for photos like wanted ones.
    """

    documents: int
    photos: int
    documents_by_count: Counter[int]
    chunks_made: int
    pages_unread: int = 0

    @property
    def photos_a_document(self) -> float:
        """Mean, 0 without documents."""
        return self.photos / self.documents if self.documents else 0.0


def cut_drop(
    archive: Archive, reader: DocumentReader, cutter: PhotoCutter, drop_key: str, now: datetime
) -> PhotosReport:
    """Cuts the photos of every current document of a drop, chunk by chunk; chunks that are up to date stay.

    A document, page or photo that cannot be cut is a fault in the ledger; its chunk is done again by the next run.
    """
    stage = Stage(STAGE, "", cutter.version)
    report = PhotosReport(0, 0, Counter(), 0)

    def work(chunk: Chunk) -> None:
        unread, found = with_current(archive, chunk, partial(_cut_chunk, archive, reader, cutter, stage, chunk))
        archive.ledger.documents.record_photos(found)
        _count(report, unread, found)

    run_stage(archive, stage, "photos", drop_key, now, work)
    return report


def _count(report: PhotosReport, unread: int | None, found: dict[int, int]) -> None:
    report.documents += len(found)
    report.photos += sum(found.values())
    report.documents_by_count.update(found.values())
    report.chunks_made += unread is not None
    report.pages_unread += unread or 0


def _cut_chunk(
    archive: Archive, reader: DocumentReader, cutter: PhotoCutter, stage: Stage, chunk: Chunk, documents: list[Document]
) -> tuple[int | None, dict[int, int]]:
    """How many pages' text could not be read, None if the chunk was up to date; and its photos by document."""
    table = due_table(archive, stage, chunk, documents, archive.photo_shard(chunk))
    unread = None if table is None else _ChunkCutter(archive, reader, cutter, table).write()
    found = Counter(payload.document_id for payload in read_payloads(archive.photo_shard(chunk)))
    return unread, {document.id: found[document.document_id] for document in documents}


@dataclass(slots=True)
class _ChunkCutter:
    """Cuts the documents of one chunk, several at a time.

    Attributes:
        table: of the chunk's photos.
        sizes: width and height of the pages that show photos.
        unread: pages whose text could not be read.
    """

    archive: Archive
    reader: DocumentReader
    cutter: PhotoCutter
    table: DueTable
    sizes: dict[PageOf, tuple[int, int]] = field(default_factory=dict)
    unread: int = 0

    def write(self) -> int:
        """Writes the chunk's tables; returns how many pages' text could not be read."""
        if self.table.is_retry:  # what was made from its photos has the provenance of those that are cut again now
            for path in self.archive.derived_shards(self.table.chunk):
                path.unlink(missing_ok=True)
        write_photos(self.table.path, self.table.provenance, self._photos())
        return self.unread

    def _photos(self) -> Iterator[StoredPhoto]:
        for found, unread in self.reader.threads.map(self._cut, self.table.documents):
            self.unread += unread
            yield from found
        # Before the photos appear: they say that the chunk is done.
        self._write_texts()
        self.archive.ledger.page_sizes.remember(self.sizes)
        self.table.faults.file(self.archive)

    def _cut(self, document: Document) -> tuple[list[StoredPhoto], int]:
        """The photos of a document in reading order, and how many pages' text could not be read."""
        cut = attempt(f"photos of document {document.id}", partial(self._cut_pages, document))
        if not isinstance(cut, Failure):
            return cut
        self.table.faults.add(document.document_id, Failure(f"Its photos could not be cut: {cut.reason}", cut.code))
        return [], 0

    def _cut_pages(self, document: Document) -> tuple[list[StoredPhoto], int]:
        pages = self.cutter.of_document(str(document.sha256), self.archive.ledger.page_texts)
        photos: list[StoredPhoto] = []

        def on_page(page: Page) -> None:
            unit = f"page {page.page_index + 1} of document {document.id}"
            crops = attempt(unit, partial(pages.photos, page))
            if isinstance(crops, Failure):
                self.table.faults.add(document.document_id, crops, page.page_index)
                return
            if crops:
                self.sizes[str(document.sha256), page.page_index] = page.pixels.shape[1], page.pixels.shape[0]
            photos.extend(self._encoded(document, crops, unit))

        report = self.reader.read(read_staged(self.archive.bulk, str(document.sha256)), on_page)
        if len(report.pages_read) < (document.n_pages or 0):  # the rest could be read before
            reason = f"{len(report.pages_read)} of {document.n_pages} pages could be read again: {report.reason}"
            self.table.faults.add(document.document_id, Failure(reason, report.reason_code))
        pages.keep()
        return photos, pages.pages_unread

    def _encoded(self, document: Document, crops: list[PhotoCrop], unit: str) -> Iterator[StoredPhoto]:
        for crop in crops:
            jpeg = attempt(f"{unit}, photo {crop.photo_index + 1}", partial(self.cutter.encoded, crop.pixels))
            if isinstance(jpeg, Failure):
                self.table.faults.add(document.document_id, jpeg, crop.page_index, crop.photo_index)
            else:
                yield StoredPhoto(_payload(document, crop), crop.skew_deg, jpeg)

    def _write_texts(self) -> None:
        """The text read on the chunk's pages as a table; that of the ledger, which other programs need not open."""
        if not isinstance(self.cutter.pages, PageFinder):
            return
        engine_id = self.cutter.pages.reader.engine_id
        texts = (
            (document.document_id, str(document.sha256), text)
            for document in self.table.documents
            for text in self.archive.ledger.page_texts.known(str(document.sha256), engine_id)
        )
        path = self.archive.page_text_shard(self.table.chunk, engine_id)
        write_page_texts(path, self.table.provenance, engine_id, texts)


def _payload(document: Document, crop: PhotoCrop) -> PhotoPayload:
    return PhotoPayload(
        document_id=document.document_id,
        file_name=document.file_name,
        sha256=str(document.sha256),
        drop=document.drop_key,
        page_index=crop.page_index,
        photo_index=crop.photo_index,
        box=crop.box,
        merchant_id=document.merchant_id,
    )
