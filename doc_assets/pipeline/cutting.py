"""Stage ``photos``: the pages of a drop's documents -> photos in Parquet shards."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from doc_assets.archive.archive import Archive, Chunk, stamp
from doc_assets.archive.faults import ChunkFaults
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.page_sizes import PageOf
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.page_text_shards import write_page_texts
from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.photo_shards import StoredPhoto, write_photos
from doc_assets.archive.superseding import with_current
from doc_assets.archive.tables import read_stamp
from doc_assets.datatypes import Page, PhotoPayload
from doc_assets.photos.cutter import PhotoCutter
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reading.text.finder import PageFinder
from doc_assets.sources.staging import read_staged
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.progress import track

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
    chunks = archive.chunks(drop_key)
    counts: Counter[int] = Counter()
    made = unread = 0
    for chunk in track(chunks, "photos", len(chunks)):

        def cut(documents: list[Document], chunk: Chunk = chunk) -> tuple[int | None, dict[int, int]]:
            unread_now = _cut_chunk(archive, reader, cutter, chunk, documents)
            found = Counter(payload.document_id for payload in _payloads(archive, chunk))
            return unread_now, {document.id: found[document.document_id] for document in documents}

        unread_now, found = with_current(archive, chunk, cut)
        if unread_now is not None:
            made, unread = made + 1, unread + unread_now
        archive.ledger.documents.record_photos(found)
        counts.update(found.values())
    archive.ledger.documents.complete_stage(drop_key, Stage(STAGE, "", cutter.version), now)
    return PhotosReport(counts.total(), sum(n * times for n, times in counts.items()), counts, made, unread)


def _cut_chunk(
    archive: Archive, reader: DocumentReader, cutter: PhotoCutter, chunk: Chunk, documents: Sequence[Document]
) -> int | None:
    """Writes the chunk's shards; returns how many pages' text could not be read, None if all was up to date."""
    path = archive.photo_shard(chunk)
    wanted = stamp(cutter.version, list(documents))
    faults = ChunkFaults(STAGE, "", documents)
    if read_stamp(path) == wanted:
        if not faults.are_known(archive):
            return None
        _remove_derived(archive, chunk)  # it has the stamps of photos that are cut again now
    unread = 0

    sizes: dict[PageOf, tuple[int, int]] = {}

    def cut(document: Document) -> tuple[list[StoredPhoto], int]:
        return _cut_document(archive, reader, cutter, document, faults, sizes)

    def photos() -> Iterator[StoredPhoto]:
        nonlocal unread
        for found, pages_unread in reader.threads.map(cut, documents):
            unread += pages_unread
            yield from found
        # Before the photos appear: they say that the chunk is done.
        _write_texts(archive, cutter, chunk, documents)
        archive.ledger.page_sizes.remember(sizes)
        faults.file(archive)

    write_photos(path, wanted, photos())
    return unread


def _remove_derived(archive: Archive, chunk: Chunk) -> None:
    for path in archive.derived_shards(chunk):
        path.unlink(missing_ok=True)


def _cut_document(
    archive: Archive,
    reader: DocumentReader,
    cutter: PhotoCutter,
    document: Document,
    faults: ChunkFaults,
    sizes: dict[PageOf, tuple[int, int]],
) -> tuple[list[StoredPhoto], int]:
    """The photos of a document in reading order, and how many pages' text could not be read; what breaks is noted.

    ``sizes`` takes those of the pages that show photos.
    """
    name = document.document_id
    cut = attempt(
        f"photos of {document.file_name}", lambda: _cut_pages(archive, reader, cutter, document, faults, sizes)
    )
    if not isinstance(cut, Failure):
        return cut
    faults.add(name, Failure(f"Its photos could not be cut: {cut.reason}", cut.code))
    return [], 0


def _cut_pages(
    archive: Archive,
    reader: DocumentReader,
    cutter: PhotoCutter,
    document: Document,
    faults: ChunkFaults,
    sizes: dict[PageOf, tuple[int, int]],
) -> tuple[list[StoredPhoto], int]:
    pages = cutter.of_document(str(document.sha256), archive.ledger.page_texts)
    photos: list[StoredPhoto] = []

    def on_page(page: Page) -> None:
        unit = f"page {page.page_index + 1} of {document.file_name}"
        crops = attempt(unit, partial(pages.photos, page))
        if isinstance(crops, Failure):
            faults.add(document.document_id, crops, page.page_index)
            return
        if crops:
            sizes[str(document.sha256), page.page_index] = page.pixels.shape[1], page.pixels.shape[0]
        for crop in crops:
            jpeg = attempt(f"{unit}, photo {crop.photo_index + 1}", partial(cutter.encoded, crop.pixels))
            if isinstance(jpeg, Failure):
                faults.add(document.document_id, jpeg, crop.page_index, crop.photo_index)
                continue
            payload = PhotoPayload(
                document_id=document.document_id,
                file_name=document.file_name,
                sha256=str(document.sha256),
                drop=document.drop_key,
                page_index=crop.page_index,
                photo_index=crop.photo_index,
                box=crop.box,
                merchant_id=document.merchant_id,
            )
            photos.append(StoredPhoto(payload, crop.skew_deg, jpeg))

    report = reader.read(read_staged(archive.bulk, str(document.sha256)), on_page)
    if len(report.pages_read) < (document.n_pages or 0):  # the rest could be read before
        reason = f"{len(report.pages_read)} of {document.n_pages} pages could be read again: {report.reason}"
        faults.add(document.document_id, Failure(reason, report.reason_code))
    pages.keep()
    return photos, pages.pages_unread


def _write_texts(archive: Archive, cutter: PhotoCutter, chunk: Chunk, documents: Sequence[Document]) -> None:
    """The text read on the chunk's pages as a table; that of the ledger, which other programs need not open."""
    if not isinstance(cutter.pages, PageFinder):
        return
    engine_id = cutter.pages.reader.engine_id
    texts = (
        (document.document_id, str(document.sha256), text)
        for document in documents
        for text in archive.ledger.page_texts.known(str(document.sha256), engine_id)
    )
    write_page_texts(
        archive.page_text_shard(chunk, engine_id), stamp(cutter.version, list(documents)), engine_id, texts
    )


def _payloads(archive: Archive, chunk: Chunk) -> Iterator[PhotoPayload]:
    return read_payloads(archive.photo_shard(chunk))
