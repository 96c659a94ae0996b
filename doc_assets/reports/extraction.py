"""Photos of any documents as JPEG files beside a list of where they stood; no archive is needed."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from upath import UPath

from doc_assets.datatypes import Page
from doc_assets.errors import UnreadableDocumentError
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reports.safe_names import safe_stem
from doc_assets.sources.sources import SourceFile
from doc_assets.util.files import sha256_of, write_atomic
from doc_assets.util.progress import track
from doc_assets.util.visible import visible_json

LIST_NAME = "photos.json"


@dataclass(frozen=True, slots=True)
class ExtractedPhoto:
    """A photo as a file.

    Attributes:
        file: its name.
        page: from 1.
        photo: place in the document, from 0.
        box: left, top, right, bottom in pixels of the upright page.
        skew_deg: counter-clockwise angle that it was straightened by.
        width, height: of the file, in pixels.
    """

    file: str
    page: int
    photo: int
    box: list[int]
    skew_deg: float
    width: int
    height: int


@dataclass(slots=True)
class ExtractedDocument:
    """A document and its photos; ``error`` says why it was not read, or only in part."""

    document: str
    state: str = "rejected"
    error: str | None = None
    photos: list[ExtractedPhoto] = field(default_factory=list)


def extract_photos(
    reader: DocumentReader, cutter: PhotoCutter, files: Sequence[SourceFile], folder: Path
) -> list[ExtractedDocument]:
    """Writes ``<document>_page<N>_photo<i>.jpg`` for every photo, and ``photos.json``; labels name the documents."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [_extract(reader, cutter, file, folder) for file in track(files, "documents", len(files))]
    content = json.dumps([asdict(document) for document in found], ensure_ascii=False, indent=1)
    write_atomic(UPath(folder / LIST_NAME), visible_json(content).encode())
    return found


def _extract(reader: DocumentReader, cutter: PhotoCutter, file: SourceFile, folder: Path) -> ExtractedDocument:
    found = ExtractedDocument(file.label)
    stem = safe_stem(file.label)

    def on_page(page: Page) -> None:
        for crop in pages.photos(page):
            name = f"{stem}_page{page.page_index + 1}_photo{crop.photo_index}.jpg"
            write_atomic(UPath(folder / name), cutter.encoded(crop.pixels))
            height, width = crop.pixels.shape[:2]
            skew, box = round(crop.skew_deg, 3), crop.box.as_list()
            found.photos.append(
                ExtractedPhoto(name, page.page_index + 1, crop.photo_index, box, skew, width=width, height=height)
            )

    try:
        content = file.fetch(reader.limits.max_file_bytes).content
        pages = cutter.of_document(sha256_of(content))
        report = reader.read(content, on_page)
    except UnreadableDocumentError as error:
        found.error = f"{error.code}: {error}"
        return found
    found.state = str(report.state)
    if report.reason:
        found.error = f"{report.reason_code}: {report.reason}"
    return found
