"""A document that is searched for: its bytes' digest, its photos' vectors and keypoints, nothing on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from doc_assets.archive.ledger.results import SearchFault
from doc_assets.datatypes import DocumentDate, LocalFeatures, Page, PhotoCrop, RgbImage, SparseVector
from doc_assets.faults import DocumentState
from doc_assets.features.describer import Describer
from doc_assets.features.embedders.base import Embedder, require_finite
from doc_assets.features.sift import mirrored
from doc_assets.features.words import VisualWords
from doc_assets.photos.cutter import PhotoCutter
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reading.text.finder import TextMemory
from doc_assets.search.faults import all_in_words
from doc_assets.sources.dates import DateRule
from doc_assets.sources.names import display_name, document_id
from doc_assets.sources.sources import SourceFile
from doc_assets.util.digests import sha256_of
from doc_assets.util.isolation import Failure, attempt, attempt_each


@dataclass(frozen=True, slots=True)
class QueryPhoto:
    """A photo of a query document.

    Attributes:
        crop: where it is; its pixels are gone.
        jpeg: the photo as the archive would store it; in memory only, and goes with the search.
        views: its eight views' vectors (8, D).
        features, mirrored_features: its keypoints, as it is and mirrored left-right.
        words: its visual words, as it is and mirrored; turning does not change them.
    """

    crop: PhotoCrop
    jpeg: bytes
    views: NDArray[np.float32]
    features: LocalFeatures
    mirrored_features: LocalFeatures
    words: tuple[SparseVector, SparseVector]

    @classmethod
    def of(
        cls,
        crop: PhotoCrop,
        jpeg: bytes,
        views: NDArray[np.float32],
        described: tuple[LocalFeatures, SparseVector],
        codebook: VisualWords,
    ) -> Self:
        """A photo to search for, from where it is, its stored form, its views' vectors, its keypoints and words."""
        features, words = described
        flipped = mirrored(features)
        return cls(
            crop=replace(crop, pixels=np.empty((0, 0, 3), np.uint8)),
            jpeg=jpeg,
            views=views,
            features=features,
            mirrored_features=flipped,
            words=(words, codebook.encode(flipped)),
        )

    def pixels(self) -> RgbImage:
        """The photo as the archive would store it, decoded at every call."""
        return decode_jpeg(self.jpeg)


@dataclass(frozen=True, slots=True)
class QueryDocument:
    """A document that is searched for.

    Attributes:
        document_id, file_name: as in the archive.
        merchant_id: whose it is; None if unknown.
        state: ok, partial or rejected.
        error: why it is partial or rejected; None if it is ok.
        sha256: of its bytes; None if they could not be read.
        photos: in reading order; empty if it was rejected or shows none.
        fields: of the key table's row that names it, by column.
        date: the day it is from; of a query that is in no archive and has no other date, the day of the search. None
            of a photo that is searched for without a document.
        faults: pages and photos that could not be used.
        more: the other documents of its key, which only fetching it told of.
    """

    document_id: str
    file_name: str
    merchant_id: str | None
    state: DocumentState
    error: str | None
    sha256: str | None
    photos: tuple[QueryPhoto, ...]
    fields: dict[str, str] = field(default_factory=dict)
    date: DocumentDate | None = None
    faults: tuple[SearchFault, ...] = ()
    more: tuple[SourceFile, ...] = ()


class PictureSink(Protocol):
    """Takes the pictures of one query document."""

    def page(self, page: Page) -> None:
        """A page that shows photos."""

    def photo(self, crop: PhotoCrop) -> None:
        """A photo."""


def _no_archive(_document_id: str) -> None:
    """No document is in the archive."""


@dataclass(frozen=True, slots=True)
class QueryReader:
    """Everything between a query file and its vectors, with the archive's own extractor and embedder.

    Attributes:
        reader, cutter, embedder, describer: as the archive was made with; a query goes through the same loss, so that
            the same photo gives the same vector.
        texts: what was read of documents before; nothing is added to it.
        dates: where their dates stand.
        archived: the date of the archive's document of an id; None if there is none. A document that is in the archive
            is not as young as the search.
    """

    reader: DocumentReader
    cutter: PhotoCutter
    embedder: Embedder
    describer: Describer
    texts: TextMemory | None = None
    dates: DateRule = field(default_factory=DateRule)
    archived: Callable[[str], DocumentDate | None] = _no_archive

    def read(self, file: SourceFile, kept_by: PictureSink | None = None) -> QueryDocument:
        """Reads one query file; a file that cannot be read is a document with an error, not an exception.

        A page or a photo that breaks is a fault of the document, and the others are searched for.

        Args:
            file: the file.
            kept_by: takes its pages and photos; the only way pixels leave this call.

        Raises:
            SetupError, ServiceError: for what concerns every query alike.
        """
        reading = _Reading(file.label)
        read = attempt("reading of a query document", lambda: self._read(file, kept_by, reading))
        if not isinstance(read, Failure):
            return read
        reading.faults.append(SearchFault("reading", read.reason))
        return self._document(file, reading, DocumentState.REJECTED, read.reason, [])

    def _read(self, file: SourceFile, kept_by: PictureSink | None, reading: "_Reading") -> QueryDocument:
        fetched = file.fetch(self.reader.limits.max_file_bytes)
        reading.name, reading.sha256, reading.more = fetched.name, sha256_of(fetched.content), fetched.more
        pages = self.cutter.of_document(reading.sha256, self.texts)
        crops: list[PhotoCrop] = []

        def on_page(page: Page) -> None:
            found = attempt(f"page {page.page_index + 1} of a query document", lambda: pages.photos(page))
            if isinstance(found, Failure):
                reading.lacks_page(page.page_index, found.reason)
                return
            crops.extend(found)
            if kept_by is not None and found:
                reading.keep(page.page_index, partial(kept_by.page, page))

        report = self.reader.read(fetched.content, on_page)
        for fault in report.faults:
            reading.lacks_page(fault.page_index, fault.message)
        if kept_by is not None:
            for crop in crops:
                reading.keep(crop.page_index, partial(kept_by.photo, crop))
        photos = self._photos(crops, reading)
        state = report.state
        if reading.faults and state == DocumentState.OK:
            state = DocumentState.PARTIAL
        if reading.pages_lacking >= set(report.pages_read) or (crops and not photos):  # nothing was looked at
            state = DocumentState.REJECTED
        return self._document(file, reading, state, all_in_words(reading.faults) or None, photos)

    def _photos(self, crops: Sequence[PhotoCrop], reading: "_Reading") -> list[QueryPhoto]:
        """The crops with what they are searched by and without their pixels; those that break are noted."""
        described: list[tuple[PhotoCrop, bytes, RgbImage, tuple[LocalFeatures, SparseVector]]] = []
        for crop in crops:
            found = attempt(_unit(crop), partial(self._described, crop))
            if isinstance(found, Failure):
                reading.lacks_photo(crop, found)
            else:
                described.append((crop, *found))
        units = [_unit(crop) for crop, *_ in described]
        views = attempt_each(units, [pixels for _, _, pixels, _ in described], self._views)
        photos = []
        for (crop, jpeg, _, features), vectors in zip(described, views, strict=True):
            if isinstance(vectors, Failure):
                reading.lacks_photo(crop, vectors)
            else:
                photos.append(QueryPhoto.of(crop, jpeg, vectors, features, self.describer.words))
        return photos

    def _described(self, crop: PhotoCrop) -> tuple[bytes, RgbImage, tuple[LocalFeatures, SparseVector]]:
        jpeg = self.cutter.encoded(crop.pixels)
        pixels = decode_jpeg(jpeg)
        return jpeg, pixels, self.describer.describe(pixels)

    def _views(self, photos: Sequence[RgbImage]) -> Sequence[NDArray[np.float32]]:
        return list(require_finite(self.embedder.embed_views(photos)))

    def _document(
        self,
        file: SourceFile,
        reading: "_Reading",
        state: DocumentState,
        error: str | None,
        photos: Sequence[QueryPhoto],
    ) -> QueryDocument:
        fields = file.row.fields if file.row else {}
        date = self.dates.date_of(document_id(reading.name), fields, datetime.now(UTC))
        if date.source != "key_table":
            date = self.archived(document_id(reading.name)) or date
        return QueryDocument(
            document_id=document_id(reading.name),
            file_name=display_name(reading.name),
            merchant_id=file.row.merchant_id if file.row else None,
            state=state,
            error=error,
            sha256=reading.sha256,
            photos=tuple(photos),
            fields=fields,
            date=date,
            faults=tuple(reading.faults),
            more=reading.more,
        )


def _unit(crop: PhotoCrop) -> str:
    """A photo in the log."""
    return f"photo {crop.photo_index + 1} of a query document"


@dataclass(slots=True)
class _Reading:
    """What is known of a query file while it is read."""

    name: str
    sha256: str | None = None
    more: tuple[SourceFile, ...] = ()
    faults: list[SearchFault] = field(default_factory=list)
    pages_lacking: set[int] = field(default_factory=set)

    def lacks_page(self, page_index: int | None, reason: str) -> None:
        """Notes a page, or None for the whole document, that could not be used."""
        if page_index is None:
            self.faults.append(SearchFault("reading", reason))
            return
        self.pages_lacking.add(page_index)
        self.faults.append(SearchFault("page", reason, query_page=page_index + 1))

    def lacks_photo(self, crop: PhotoCrop, failure: Failure) -> None:
        """Notes a photo that cannot be searched for."""
        self.faults.append(
            SearchFault("photo", failure.reason, query_page=crop.page_index + 1, query_photo=crop.photo_index)
        )

    def keep(self, page_index: int, keep: Callable[[], None]) -> None:
        """Keeps a picture; the search goes on without it."""
        kept = attempt(f"picture of page {page_index + 1} of a query document", keep)
        if isinstance(kept, Failure):
            reason = f"Its picture could not be kept: {kept.reason}"
            self.faults.append(SearchFault("picture", reason, query_page=page_index + 1))
