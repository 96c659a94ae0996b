"""Documents that are in the archive already, as documents to search for; nothing is cut or described again."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from doc_assets.archive.archive import Archive, Chunk, Versions, chunk_of
from doc_assets.archive.ledger.results import SearchFault
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.shards import StoredPhoto, read_features, read_photos
from doc_assets.datatypes import LocalFeatures, PhotoCrop, PhotoKey, RgbImage, SparseVector
from doc_assets.errors import InputError
from doc_assets.faults import DocumentState
from doc_assets.features.describer import Describer
from doc_assets.features.embedders.base import Embedder, require_finite
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.search.faults import all_in_words
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.util.isolation import Failure, attempt, attempt_each
from doc_assets.util.threads import Workers

Described = tuple[LocalFeatures, SparseVector]


@dataclass(frozen=True, slots=True)
class StoredQueries:
    """Makes queries of archive documents.

    Attributes:
        archive, versions: where their photos and features are.
        embedder, describer: as these were made with.
        threads: embed documents side by side.
    """

    archive: Archive
    versions: Versions
    embedder: Embedder
    describer: Describer
    threads: Workers

    def of_chunk(self, chunk: Chunk) -> Iterator[tuple[Document, QueryDocument | Failure]]:
        """The chunk's current documents in order, those without photos too; or why one cannot be searched for."""
        described = self._described(chunk)
        photos: dict[str, list[StoredPhoto]] = defaultdict(list)
        for photo in read_photos(self.archive.photo_shard(chunk)):
            photos[photo.payload.document_id].append(photo)

        def query(document: Document) -> tuple[Document, QueryDocument | Failure]:
            stored = photos.get(document.document_id, [])
            work = partial(self._query, document, stored, described)
            return document, attempt(f"query of document {document.id}", work)

        return self.threads.map(query, self.archive.current(chunk))

    def of_document(self, document: Document) -> QueryDocument:
        """One current document."""
        chunk = chunk_of(document, self.archive.chunks(document.drop_key))
        stored = read_photos(self.archive.photo_shard(chunk))
        photos = [photo for photo in stored if photo.payload.document_id == document.document_id]
        return self._query(document, photos, self._described(chunk))

    def _described(self, chunk: Chunk) -> dict[PhotoKey, Described]:
        rows = read_features(self.archive.feature_shard(chunk, self.versions.features_id))
        return {payload.key: (features, words) for payload, features, words in rows}

    def _query(
        self, document: Document, photos: list[StoredPhoto], described: dict[PhotoKey, Described]
    ) -> QueryDocument:
        """The document with the photos that can be searched for; the others are its faults.

        Raises:
            InputError: if it has photos and none of them can be searched for.
        """
        found: list[QueryPhoto] = []
        faults: list[SearchFault] = []
        units = [f"photo {photo.payload.photo_index + 1} of document {document.id}" for photo in photos]
        views = attempt_each(units, photos, self._views)
        for unit, photo, vectors in zip(units, photos, views, strict=True):
            made = (
                vectors
                if isinstance(vectors, Failure)
                else attempt(unit, partial(self._photo, photo, vectors, described))
            )
            if isinstance(made, Failure):
                payload = photo.payload
                faults.append(SearchFault("photo", made.reason, payload.page_index + 1, payload.photo_index))
            else:
                found.append(made)
        if photos and not found:
            raise InputError(f"None of its photos could be searched for: {all_in_words(faults)}")
        return replace(query_without_photos(document), photos=tuple(found), faults=tuple(faults))

    def _views(self, photos: Sequence[StoredPhoto]) -> Sequence[NDArray[np.float32]]:
        return list(require_finite(self.embedder.embed_views(decode_jpeg(photo.jpeg) for photo in photos)))

    def _photo(
        self, photo: StoredPhoto, views: NDArray[np.float32], described: dict[PhotoKey, Described]
    ) -> QueryPhoto:
        nothing: RgbImage = np.empty((0, 0, 3), np.uint8)
        payload = photo.payload
        features = described.get(payload.key)
        if features is None:
            raise InputError("Its keypoints could not be found when the document was ingested.")
        crop = PhotoCrop(payload.page_index, payload.photo_index, payload.box, photo.skew_deg, nothing)
        return QueryPhoto.of(crop, photo.jpeg, views, features, self.describer.words)


def query_without_photos(document: Document) -> QueryDocument:
    """What the ledger knows of a document, as one to search for."""
    return QueryDocument(
        document_id=document.document_id,
        file_name=document.file_name,
        merchant_id=document.merchant_id,
        state=DocumentState(document.state),
        error=document.reason,
        sha256=document.sha256,
        photos=(),
        fields=document.fields,
        date=document.date,
    )
