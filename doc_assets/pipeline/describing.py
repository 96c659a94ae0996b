"""Stage ``local_features``: a drop's photos -> keypoints and visual words in Parquet shards."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from threadpoolctl import threadpool_limits

from doc_assets.archive.archive import Archive, Chunk, made_with, require_photos, stamp
from doc_assets.archive.faults import ChunkFaults, photos_left_out
from doc_assets.archive.feature_shards import write_features
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.photo_shards import StoredPhoto, read_photos
from doc_assets.archive.superseding import with_current
from doc_assets.archive.tables import count_rows, read_stamp
from doc_assets.datatypes import LocalFeatures, PhotoPayload, SparseVector
from doc_assets.features.describer import Describer
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.progress import track
from doc_assets.util.threads import Workers

STAGE = "local_features"
STORED_FEATURES = 300
"""Keypoints kept of an archive photo: enough to verify it, in a seventh of the room of its JPEG."""

Described = tuple[PhotoPayload, LocalFeatures, SparseVector]


@dataclass(frozen=True, slots=True)
class FeaturesReport:
    """What was described in a drop.

    Attributes:
        photos, described: rows of the drop's photo and feature shards.
        left_out: photos that could not be described and are faults in the ledger; with the described they add up.
        described_now: photos described in this run; the others were up to date.
        seconds: time spent on them.
    """

    photos: int
    described: int
    described_now: int
    seconds: float
    left_out: int = 0


def describe_drop(
    archive: Archive, describer: Describer, workers: int, photos_version: str, drop_key: str, now: datetime
) -> FeaturesReport:
    """Describes the photos of a drop, chunk by chunk, ``workers`` side by side; chunks that are up to date stay.

    Raises:
        SetupError: if the drop's photos were not cut with ``photos_version``.
    """
    chunks = archive.chunks(drop_key)
    version = made_with(describer.features_id, photos_version)
    photos = described = now_described = left_out = 0
    began = time.monotonic()
    # Threads of the algebra library inside ours wait for each other: measured 73 ms of CPU a photo instead of 48.
    with Workers(workers) as threads, threadpool_limits(1, "blas"):
        for chunk in track(chunks, "local features", len(chunks)):

            def describe(documents: list[Document], chunk: Chunk = chunk) -> int:
                require_photos(archive, chunk, documents, photos_version)
                return _describe_chunk(archive, describer, threads, version, chunk, documents)

            now_described += with_current(archive, chunk, describe)
            photos += count_rows(archive.photo_shard(chunk))
            described += count_rows(archive.feature_shard(chunk, describer.features_id))
            left_out += photos_left_out(archive, STAGE, describer.features_id, chunk)
    archive.ledger.documents.complete_stage(drop_key, Stage(STAGE, describer.features_id, version), now)
    return FeaturesReport(photos, described, now_described, time.monotonic() - began, left_out)


def _describe_chunk(
    archive: Archive, describer: Describer, threads: Workers, version: str, chunk: Chunk, documents: list[Document]
) -> int:
    """Writes the chunk's features unless they are up to date; returns how many photos were described."""
    path = archive.feature_shard(chunk, describer.features_id)
    wanted = stamp(version, documents)
    faults = ChunkFaults(STAGE, describer.features_id, documents)
    if read_stamp(path) == wanted and not faults.are_known(archive):
        return 0

    def describe(photo: StoredPhoto) -> tuple[PhotoPayload, tuple[LocalFeatures, SparseVector] | Failure]:
        work = partial(_describe, describer, photo)
        return photo.payload, attempt(f"keypoints of photo {photo.payload.key}", work)

    def rows() -> Iterator[Described]:
        for payload, described in threads.map(describe, read_photos(archive.photo_shard(chunk))):
            if isinstance(described, Failure):
                reason = f"It could not be described: {described.reason}"
                faults.add_photo(payload, Failure(reason, described.code))
            else:
                yield payload, *described
        faults.file(archive)  # before the table appears that lacks them

    return write_features(path, wanted, rows(), STORED_FEATURES)


def _describe(describer: Describer, photo: StoredPhoto) -> tuple[LocalFeatures, SparseVector]:
    return describer.describe(decode_jpeg(photo.jpeg))
