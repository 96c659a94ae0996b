"""Documents that are in the archive already, as documents to search for; nothing is cut or described again."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from doc_assets.datatypes import LocalFeatures, PhotoCrop, PhotoKey, RgbImage, SparseVector
from doc_assets.documents.faults import DocumentState
from doc_assets.embedding.base import Embedder
from doc_assets.ingest.archive import Archive, Chunk, Versions, chunk_of
from doc_assets.ledger.rows import Document
from doc_assets.local_features.describer import Describer
from doc_assets.local_features.shards import read_features
from doc_assets.parallel import Workers
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.photos.shards import StoredPhoto, read_photos
from doc_assets.search.query import QueryDocument, QueryPhoto

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

    def of_chunk(self, chunk: Chunk) -> Iterator[QueryDocument]:
        """The chunk's current documents in order, those without photos too."""
        described = self._described(chunk)
        photos: dict[str, list[StoredPhoto]] = defaultdict(list)
        for photo in read_photos(self.archive.photo_shard(chunk)):
            photos[photo.payload.document_id].append(photo)
        documents = self.archive.current(chunk)

        def query(document: Document) -> QueryDocument:
            return self._query(document, photos.get(document.document_id, []), described)

        return self.threads.map(query, documents)

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
        views = self.embedder.embed_views(decode_jpeg(photo.jpeg) for photo in photos)
        nothing: RgbImage = np.empty((0, 0, 3), np.uint8)
        found = []
        for photo, vectors in zip(photos, views, strict=True):
            payload = photo.payload
            crop = PhotoCrop(payload.page_index, payload.photo_index, payload.box, photo.skew_deg, nothing)
            found.append(QueryPhoto.of(crop, vectors, described[payload.key], self.describer.words))
        return QueryDocument(
            document_id=document.document_id,
            file_name=document.file_name,
            merchant_id=document.merchant_id,
            state=DocumentState(document.state),
            error=document.reason,
            sha256=document.sha256,
            photos=tuple(found),
            fields=document.fields,
            date=document.date,
        )
