"""Stage ``photo_embeddings``: a drop's photos -> unit vectors in Parquet shards."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np

from doc_assets.archive.archive import Archive, Chunk, made_with, require_photos, stamp
from doc_assets.archive.embedding_shards import write_embeddings
from doc_assets.archive.faults import ChunkFaults, photos_left_out
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.photo_shards import StoredPhoto, read_photos
from doc_assets.archive.superseding import with_current
from doc_assets.archive.tables import count_rows, read_stamp
from doc_assets.datatypes import Embeddings, PhotoPayload, RgbImage
from doc_assets.features.embedders.base import Embedder, require_finite
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.progress import track

STAGE = "photo_embeddings"
Embedded = tuple[list[PhotoPayload], Embeddings]


@dataclass(frozen=True, slots=True)
class EmbeddingsReport:
    """What was embedded in a drop.

    Attributes:
        photos, vectors: rows of the drop's photo and embedding shards.
        left_out: photos that could not be embedded and are faults in the ledger; with the vectors they add up.
        embedded: vectors made in this run; the others were up to date.
        seconds: time spent embedding them.
    """

    photos: int
    vectors: int
    embedded: int
    seconds: float
    left_out: int = 0


def embed_drop(
    archive: Archive, embedder: Embedder, photos_version: str, drop_key: str, now: datetime
) -> EmbeddingsReport:
    """Embeds the photos of a drop, chunk by chunk; chunks that are up to date stay.

    Raises:
        SetupError: if the drop's photos were not cut with ``photos_version``.
    """
    chunks = archive.chunks(drop_key)
    version = made_with(embedder.embedder_id, photos_version)
    photos = vectors = embedded = left_out = 0
    began = time.monotonic()
    for chunk in track(chunks, "embeddings", len(chunks)):

        def embed(documents: list[Document], chunk: Chunk = chunk) -> int:
            return _embed_chunk(archive, embedder, photos_version, chunk, documents)

        embedded += with_current(archive, chunk, embed)
        photos += count_rows(archive.photo_shard(chunk))
        vectors += count_rows(archive.embedding_shard(chunk, embedder.embedder_id))
        left_out += photos_left_out(archive, STAGE, embedder.embedder_id, chunk)
    archive.ledger.documents.complete_stage(drop_key, Stage(STAGE, embedder.embedder_id, version), now)
    return EmbeddingsReport(photos, vectors, embedded, time.monotonic() - began, left_out)


def _embed_chunk(
    archive: Archive, embedder: Embedder, photos_version: str, chunk: Chunk, documents: list[Document]
) -> int:
    """Writes the chunk's vectors unless they are up to date; returns how many were made."""
    require_photos(archive, chunk, documents, photos_version)
    path = archive.embedding_shard(chunk, embedder.embedder_id)
    wanted = stamp(made_with(embedder.embedder_id, photos_version), documents)
    faults = ChunkFaults(STAGE, embedder.embedder_id, documents)
    if read_stamp(path) == wanted and not faults.are_known(archive):
        return 0
    unit = f"photos of drop {chunk.drop_key} from document {chunk.positions.start}"
    embedded = attempt(unit, partial(_embed, archive, embedder, chunk))
    payloads, vectors = _one_by_one(archive, embedder, chunk, faults) if isinstance(embedded, Failure) else embedded
    faults.file(archive)
    write_embeddings(path, wanted, payloads, vectors, embedder)
    return len(vectors)


def _embed(archive: Archive, embedder: Embedder, chunk: Chunk) -> Embedded:
    payloads: list[PhotoPayload] = []

    def pixels() -> Iterator[RgbImage]:
        for photo in read_photos(archive.photo_shard(chunk)):
            payloads.append(photo.payload)
            yield decode_jpeg(photo.jpeg)

    return payloads, require_finite(embedder.embed(pixels()))


def _one_by_one(archive: Archive, embedder: Embedder, chunk: Chunk, faults: ChunkFaults) -> Embedded:
    """The photos that can be embedded; one that cannot would take its batch with it."""
    payloads, rows = [], [np.empty((0, embedder.dim), np.float32)]
    for photo in read_photos(archive.photo_shard(chunk)):
        embedded = attempt(f"photo {photo.payload.key}", partial(_embed_one, embedder, photo))
        if isinstance(embedded, Failure):
            reason = f"It could not be embedded: {embedded.reason}"
            faults.add_photo(photo.payload, Failure(reason, embedded.code))
            continue
        payloads.append(photo.payload)
        rows.append(embedded)
    return payloads, np.concatenate(rows)


def _embed_one(embedder: Embedder, photo: StoredPhoto) -> Embeddings:
    return require_finite(embedder.embed([decode_jpeg(photo.jpeg)]))
