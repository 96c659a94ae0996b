"""Stage ``photo_embeddings``: a drop's photos -> unit vectors in Parquet shards."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from doc_assets.datatypes import PhotoPayload, RgbImage
from doc_assets.embedding.base import Embedder
from doc_assets.embedding.shards import write_embeddings
from doc_assets.ingest.archive import Archive, Chunk, made_with, require_photos, stamp
from doc_assets.ingest.superseding import with_current
from doc_assets.ledger.documents import Stage
from doc_assets.ledger.rows import Document
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.photos.shards import read_photos
from doc_assets.progress import track
from doc_assets.tables import count_rows, read_stamp

STAGE = "photo_embeddings"


@dataclass(frozen=True, slots=True)
class EmbeddingsReport:
    """What was embedded in a drop.

    Attributes:
        photos, vectors: rows of the drop's photo and embedding shards; equal if all is well.
        embedded: vectors made in this run; the others were up to date.
        seconds: time spent embedding them.
    """

    photos: int
    vectors: int
    embedded: int
    seconds: float


def embed_drop(
    archive: Archive, embedder: Embedder, photos_version: str, drop_key: str, now: datetime
) -> EmbeddingsReport:
    """Embeds the photos of a drop, chunk by chunk; chunks that are up to date stay.

    Raises:
        SetupError: if the drop's photos were not cut with ``photos_version``.
    """
    chunks = archive.chunks(drop_key)
    version = made_with(embedder.embedder_id, photos_version)
    photos = vectors = embedded = 0
    began = time.monotonic()
    for chunk in track(chunks, "embeddings", len(chunks)):

        def embed(documents: list[Document], chunk: Chunk = chunk) -> int:
            return _embed_chunk(archive, embedder, photos_version, chunk, documents)

        embedded += with_current(archive, chunk, embed)
        photos += count_rows(archive.photo_shard(chunk))
        vectors += count_rows(archive.embedding_shard(chunk, embedder.embedder_id))
    archive.ledger.documents.complete_stage(drop_key, Stage(STAGE, embedder.embedder_id, version), now)
    return EmbeddingsReport(photos, vectors, embedded, time.monotonic() - began)


def _embed_chunk(
    archive: Archive, embedder: Embedder, photos_version: str, chunk: Chunk, documents: list[Document]
) -> int:
    """Writes the chunk's vectors unless they are up to date; returns how many were made."""
    require_photos(archive, chunk, documents, photos_version)
    path = archive.embedding_shard(chunk, embedder.embedder_id)
    wanted = stamp(made_with(embedder.embedder_id, photos_version), documents)
    if read_stamp(path) == wanted:
        return 0
    payloads: list[PhotoPayload] = []

    def pixels() -> Iterator[RgbImage]:
        for photo in read_photos(archive.photo_shard(chunk)):
            payloads.append(photo.payload)
            yield decode_jpeg(photo.jpeg)

    vectors = embedder.embed(pixels())
    write_embeddings(path, wanted, payloads, vectors, embedder)
    return len(vectors)
