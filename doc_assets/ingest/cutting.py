"""Stage ``photos``: the pages of a drop's documents -> photos in Parquet shards."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from doc_assets.datatypes import Page, PhotoPayload
from doc_assets.documents.sandbox import DocumentReader
from doc_assets.documents.staging import read_staged
from doc_assets.ingest.archive import Archive, Chunk, stamp
from doc_assets.ledger.documents import Document
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
    """

    extractor: PhotoExtractor
    max_side_px: int = 1024
    jpeg_quality: int = 90

    @property
    def version(self) -> str:
        """Changes whenever the same page may give other stored photos."""
        return f"{self.extractor.version}|{self.max_side_px}|{self.jpeg_quality}"

    def cut(self, reader: DocumentReader, document: Document, content: bytes) -> list[StoredPhoto]:
        """The photos of one document in reading order."""
        photos: list[StoredPhoto] = []

        def on_page(page: Page) -> None:
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
        return photos


@dataclass(slots=True)
class PhotosReport:
    """What was found in a drop.

    Attributes:
        documents: current documents of the drop.
        photos: their photos.
        documents_by_count: how many documents have how many photos.
        chunks_made: chunks that were cut in this run; the others were up to date.
    """

    documents: int
    photos: int
    documents_by_count: Counter[int]
    chunks_made: int

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
    made = 0
    for chunk in track(chunks, "photos", len(chunks)):
        documents = archive.current(chunk)
        made += _cut_chunk(archive, reader, cutter, chunk, documents)
        found = Counter(payload.document_id for payload in _payloads(archive, chunk))
        archive.ledger.documents.record_photos({document.id: found[document.document_id] for document in documents})
        counts.update(found[document.document_id] for document in documents)
    archive.ledger.documents.complete_stage(drop_key, STAGE, cutter.version, now)
    return PhotosReport(counts.total(), sum(n * times for n, times in counts.items()), counts, made)


def _cut_chunk(
    archive: Archive, reader: DocumentReader, cutter: PhotoCutter, chunk: Chunk, documents: Sequence[Document]
) -> bool:
    """Writes the chunk's shard unless it is up to date; returns whether it was written."""
    path = archive.photo_shard(chunk)
    wanted = stamp(cutter.version, list(documents))
    if read_stamp(path) == wanted:
        return False

    def cut(document: Document) -> list[StoredPhoto]:
        return cutter.cut(reader, document, read_staged(archive.bulk, str(document.sha256)))

    def photos() -> Iterator[StoredPhoto]:
        for found in reader.threads.map(cut, documents):
            yield from found

    write_photos(path, wanted, photos())
    return True


def _payloads(archive: Archive, chunk: Chunk) -> Iterator[PhotoPayload]:
    return read_payloads(archive.photo_shard(chunk))
