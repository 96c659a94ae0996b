"""A document that is searched for: its bytes' digest, its photos' vectors and keypoints, nothing on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from doc_assets.datatypes import LocalFeatures, Page, PhotoCrop, SparseVector
from doc_assets.dates import DateRule, DocumentDate
from doc_assets.documents.faults import DocumentState, ReadReport
from doc_assets.documents.names import display_name, document_id
from doc_assets.documents.page_text.finder import TextMemory
from doc_assets.documents.sandbox import DocumentReader
from doc_assets.documents.sources import SourceFile
from doc_assets.documents.staging import sha256_of
from doc_assets.embedding.base import Embedder
from doc_assets.errors import UnreadableDocumentError
from doc_assets.local_features.describer import Describer
from doc_assets.local_features.sift import mirrored
from doc_assets.local_features.words import VisualWords
from doc_assets.photos.cutter import PhotoCutter


@dataclass(frozen=True, slots=True)
class QueryPhoto:
    """A photo of a query document.

    Attributes:
        crop: where it is; its pixels are gone.
        views: its eight views' vectors (8, D).
        features, mirrored_features: its keypoints, as it is and mirrored left-right.
        words: its visual words, as it is and mirrored; turning does not change them.
    """

    crop: PhotoCrop
    views: NDArray[np.float32]
    features: LocalFeatures
    mirrored_features: LocalFeatures
    words: tuple[SparseVector, SparseVector]

    @classmethod
    def of(
        cls,
        crop: PhotoCrop,
        views: NDArray[np.float32],
        described: tuple[LocalFeatures, SparseVector],
        codebook: VisualWords,
    ) -> Self:
        """A photo to search for, from where it is, its views' vectors, and its keypoints and words; without pixels."""
        features, words = described
        flipped = mirrored(features)
        return cls(
            crop=replace(crop, pixels=np.empty((0, 0, 3), np.uint8)),
            views=views,
            features=features,
            mirrored_features=flipped,
            words=(words, codebook.encode(flipped)),
        )


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

        Args:
            file: the file.
            kept_by: takes its pages and photos; the only way pixels leave this call.
        """
        crops: list[PhotoCrop] = []

        name = file.label
        try:
            fetched = file.fetch(self.reader.limits.max_file_bytes)
            name, sha256 = fetched.name, sha256_of(fetched.content)
            pages = self.cutter.of_document(sha256, self.texts)

            def on_page(page: Page) -> None:
                found = pages.photos(page)
                crops.extend(found)
                if kept_by is not None and found:
                    kept_by.page(page)

            report = self.reader.read(fetched.content, on_page)
        except UnreadableDocumentError as error:
            return self._document(file, name, ReadReport(0, (), ()).state, str(error), None, [])
        if kept_by is not None:
            for crop in crops:
                kept_by.photo(crop)
        photos = list(self._embedded(crops))
        return self._document(file, name, report.state, report.reason or None, sha256, photos)

    def _embedded(self, crops: Sequence[PhotoCrop]) -> Iterator[QueryPhoto]:
        """The crops with what they are searched by and without their pixels."""
        if not crops:
            return
        stored = [self.cutter.as_stored(crop.pixels) for crop in crops]
        views = self.embedder.embed_views(stored)
        for crop, pixels, vectors in zip(crops, stored, views, strict=True):
            yield QueryPhoto.of(crop, vectors, self.describer.describe(pixels), self.describer.words)

    def _document(
        self,
        file: SourceFile,
        name: str,
        state: DocumentState,
        error: str | None,
        sha256: str | None,
        photos: Sequence[QueryPhoto],
    ) -> QueryDocument:
        fields = file.row.fields if file.row else {}
        date = self.dates.date_of(document_id(name), fields, datetime.now(UTC))
        if date.source != "key_table":
            date = self.archived(document_id(name)) or date
        return QueryDocument(
            document_id=document_id(name),
            file_name=display_name(name),
            merchant_id=file.row.merchant_id if file.row else None,
            state=state,
            error=error,
            sha256=sha256,
            photos=tuple(photos),
            fields=fields,
            date=date,
        )
