"""Two documents against each other: what is known of every photo pair of theirs, in words and as a picture."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.photo_lookup import PageView, page_view
from doc_assets.datatypes import Page, PhotoCrop, RgbImage
from doc_assets.errors import UnknownDocumentError
from doc_assets.pipeline.explain import PairExplanation, found_by_explaining
from doc_assets.reports.pair_picture import PairPictures, draw_pair
from doc_assets.reports.report import Pictures
from doc_assets.reports.wording import reasons
from doc_assets.search.findings import same_merchant
from doc_assets.search.labels import Labeller
from doc_assets.search.query import QueryDocument
from doc_assets.sources.names import called
from doc_assets.util.files import write_atomic


@dataclass(slots=True)
class KeptQuery:
    """Takes the pictures of one query file into memory."""

    photos: dict[int, RgbImage] = field(default_factory=dict)
    pages: dict[int, PageView] = field(default_factory=dict)

    def page(self, page: Page) -> None:
        """Keeps a page, small."""
        self.pages[page.page_index] = page_view(page.pixels)

    def photo(self, crop: PhotoCrop) -> None:
        """Keeps a photo."""
        self.photos[crop.photo_index] = crop.pixels


@dataclass(frozen=True, slots=True)
class KeptPictures:
    """Finds what was kept of the only query file."""

    kept: KeptQuery

    def photo(self, _file_name: str, photo_index: int) -> RgbImage | None:
        """A photo."""
        return self.kept.photos.get(photo_index)

    def page(self, _file_name: str, page_index: int) -> PageView | None:
        """A page."""
        return self.kept.pages.get(page_index)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Two documents and what is known of every photo pair of theirs.

    Attributes:
        query, candidate: their names.
        notes: what holds whatever their photos show.
        dates: of the two, with their source.
        reasons: what their matched photos come to, as a search would say it.
        pairs: the most probable first.
    """

    query: str
    candidate: str
    notes: list[str]
    dates: list[str]
    reasons: list[str]
    pairs: list[PairExplanation]


def archived_document(archive: Archive, name: str) -> Document:
    """The current document of that id or file name.

    Raises:
        UnknownDocumentError: if it is not in the archive.
    """
    current = archive.ledger.documents.current_with_ids
    wanted = called(name, lambda candidate: candidate in current([candidate]))
    found = current([wanted]).get(wanted)
    if found is None:
        raise UnknownDocumentError(
            f"{name!r} is neither a file nor a document of the archive. Its id is its file name without ending."
        )
    return found


def explanation_of(
    labeller: Labeller, asked: QueryDocument, other: Document, pairs: list[PairExplanation]
) -> Explanation:
    """What the photo pairs of two documents come to.

    Args:
        labeller: judges as a search would.
        asked: the query document.
        other: a current document of the archive.
        pairs: of the two.
    """
    dates = [f"{each.date.day} ({each.date.source})" if each.date else "unknown" for each in (asked, other)]
    said = [reason.text.en for reason in reasons(found_by_explaining(labeller, asked, other, pairs))]
    return Explanation(asked.file_name, other.file_name, _notes(asked, other), dates, said, pairs)


def _notes(asked: QueryDocument, other: Document) -> list[str]:
    notes = [asked.error] if asked.error else []
    if asked.document_id == other.document_id:
        notes.append("Both have the same id: a document is never matched with itself, nor with its own versions.")
    if asked.sha256 is not None and asked.sha256 == other.sha256:
        notes.append("The files are identical byte for byte; this stands first whatever the photos say.")
    if same_merchant(asked.merchant_id, other.merchant_id):
        notes.append("Both are of the same merchant.")
    if not asked.photos:
        notes.append("No photo was found on the query's pages.")
    if other.n_photos == 0:
        notes.append("The candidate has no photo in the archive.")
    return notes


def draw_first(
    file: Path, pairs: Sequence[PairExplanation], names: tuple[str, str], queries: Pictures, archived: Pictures
) -> None:
    """Draws the most probable pair as PNG; nothing if a photo of it is not at hand.

    Args:
        file: the picture.
        pairs: the most probable first.
        names: of the query document and the archive document.
        queries: pictures of the query document.
        archived: pictures of archive documents.
    """
    if not pairs or pairs[0].entry is None:
        return
    pair, entry = pairs[0], pairs[0].entry
    photo, found = queries.photo(names[0], pair.query_photo), archived.photo(names[1], pair.photo)
    if photo is None or found is None:
        return
    query_page, page = queries.page(names[0], entry.query_page - 1), archived.page(names[1], entry.page - 1)
    content = io.BytesIO()
    Image.fromarray(draw_pair(PairPictures(photo, found, query_page, page), entry, names)).save(content, "PNG")
    write_atomic(UPath(file), content.getvalue())
