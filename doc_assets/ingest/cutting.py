"""Stage ``photos``: the pages of a drop's documents -> photos in Parquet shards."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from doc_assets.datatypes import Page, PhotoPayload
from doc_assets.documents.page_text.finder import PageFinder, TextMemory
from doc_assets.documents.page_text.shards import write_page_texts
from doc_assets.documents.sandbox import DocumentReader
from doc_assets.documents.staging import read_staged
from doc_assets.ingest.archive import Archive, Chunk, stamp
from doc_assets.ledger.documents import Stage
from doc_assets.ledger.rows import Document
from doc_assets.payloads import read_payloads
from doc_assets.photos.base import PhotoExtractor
from doc_assets.photos.cutting import cut_photos, encode_jpeg
from doc_assets.photos.shards import StoredPhoto, write_photos
from doc_assets.progress import track
from doc_assets.tables import read_stamp

STAGE = "photos"


@dataclass(frozen=True, slots=True)
class PhotoCutter:
    """How photos are found and stored.

    Attributes:
        extractor: finds them.
        max_side_px: stored photos are scaled down to this.
        jpeg_quality: of stored photos, 1-100.
        pages: finds the pages to look for photos on; None for all.
    """

    extractor: PhotoExtractor
    max_side_px: int = 1024
    jpeg_quality: int = 90
    pages: PageFinder | None = None

    @property
    def version(self) -> str:
        """Changes whenever the same page may give other stored photos."""
        chosen = f"|{self.pages.version}" if self.pages is not None else ""
        return f"{self.extractor.version}|{self.max_side_px}|{self.jpeg_quality}{chosen}"

    def cut(
        self, reader: DocumentReader, document: Document, content: bytes, memory: TextMemory | None = None
    ) -> "CutDocument":
        """The photos of one document in reading order; ``memory`` spares reading its text again."""
        photos: list[StoredPhoto] = []
        pages = self.pages.of_document(str(document.sha256), memory) if self.pages is not None else None

        def on_page(page: Page) -> None:
            if pages is not None and not pages.may_show_photos(page):
                return
            areas = self.extractor.find(page.pixels)
            crops = cut_photos(page, areas, first_index=len(photos), max_side_px=self.max_side_px)
            for crop in crops:
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
                photos.append(StoredPhoto(payload, crop.skew_deg, encode_jpeg(crop.pixels, self.jpeg_quality)))

        reader.read(content, on_page)
        if pages is not None:
            pages.keep()
        return CutDocument(photos, pages.unread if pages is not None else 0)


@dataclass(frozen=True, slots=True)
class CutDocument:
    """The photos of a document, and on how many pages they were looked for because their text could not be read."""

    photos: list[StoredPhoto]
    pages_unread: int


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

    Raises:
        UnreadableDocumentError: if a staged document is gone or damaged.
    """
    chunks = archive.chunks(drop_key)
    counts: Counter[int] = Counter()
    made = unread = 0
    for chunk in track(chunks, "photos", len(chunks)):
        documents = archive.current(chunk)
        unread_now = _cut_chunk(archive, reader, cutter, chunk, documents)
        if unread_now is not None:
            made, unread = made + 1, unread + unread_now
        found = Counter(payload.document_id for payload in _payloads(archive, chunk))
        archive.ledger.documents.record_photos({document.id: found[document.document_id] for document in documents})
        counts.update(found[document.document_id] for document in documents)
    archive.ledger.documents.complete_stage(drop_key, Stage(STAGE, "", cutter.version), now)
    return PhotosReport(counts.total(), sum(n * times for n, times in counts.items()), counts, made, unread)


def _cut_chunk(
    archive: Archive, reader: DocumentReader, cutter: PhotoCutter, chunk: Chunk, documents: Sequence[Document]
) -> int | None:
    """Writes the chunk's shards; returns how many pages' text could not be read, None if all was up to date."""
    path = archive.photo_shard(chunk)
    wanted = stamp(cutter.version, list(documents))
    if read_stamp(path) == wanted:
        return None
    unread = 0

    def cut(document: Document) -> CutDocument:
        content = read_staged(archive.bulk, str(document.sha256))
        return cutter.cut(reader, document, content, archive.ledger.page_texts)

    def photos() -> Iterator[StoredPhoto]:
        nonlocal unread
        for found in reader.threads.map(cut, documents):
            unread += found.pages_unread
            yield from found.photos
        _write_texts(archive, cutter, chunk, documents)  # before the photos appear: they say that the chunk is done

    write_photos(path, wanted, photos())
    return unread


def _write_texts(archive: Archive, cutter: PhotoCutter, chunk: Chunk, documents: Sequence[Document]) -> None:
    """The text read on the chunk's pages as a table; that of the ledger, which other programs need not open."""
    if cutter.pages is None:
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
