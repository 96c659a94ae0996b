"""Stage ``photo_embeddings``: a drop's photos -> unit vectors in Parquet shards."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import numpy as np

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.chunk_faults import ChunkFaults
from doc_assets.archive.shards import StoredPhoto, read_photos, write_embeddings
from doc_assets.datatypes import Embeddings, PhotoPayload, RgbImage
from doc_assets.features.embedders.base import Embedder, require_finite
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.pipeline.stage import DueTable, PhotoStage, PhotoStageReport, run_photo_stage
from doc_assets.util.isolation import Failure, attempt

STAGE = "photo_embeddings"
Embedded = tuple[list[PhotoPayload], Embeddings]


def embed_drop(
    archive: Archive, embedder: Embedder, photos_version: str, drop_key: str, now: datetime
) -> PhotoStageReport:
    """Embeds the photos of a drop, chunk by chunk; chunks that are up to date stay.

    Raises:
        SetupError: if the drop's photos were not cut with ``photos_version``.
    """
    make = partial(_write, archive, embedder)
    stage = PhotoStage(STAGE, embedder.embedder_id, photos_version, "embeddings", archive.embedding_shard, make)
    return run_photo_stage(archive, stage, drop_key, now)


def _write(archive: Archive, embedder: Embedder, table: DueTable) -> int:
    chunk = table.chunk
    unit = f"photos of drop {chunk.drop_key} from document {chunk.positions.start}"
    found = attempt(unit, partial(_embed, archive, embedder, chunk))
    payloads, vectors = _one_by_one(archive, embedder, chunk, table.faults) if isinstance(found, Failure) else found
    table.faults.file(archive)
    write_embeddings(table.path, table.provenance, payloads, vectors, embedder)
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
        embedded = attempt(photo.payload.place, partial(_embed_one, embedder, photo))
        if isinstance(embedded, Failure):
            reason = f"It could not be embedded: {embedded.reason}"
            faults.add_photo(photo.payload, Failure(reason, embedded.code))
            continue
        payloads.append(photo.payload)
        rows.append(embedded)
    return payloads, np.concatenate(rows)


def _embed_one(embedder: Embedder, photo: StoredPhoto) -> Embeddings:
    return require_finite(embedder.embed([decode_jpeg(photo.jpeg)]))
