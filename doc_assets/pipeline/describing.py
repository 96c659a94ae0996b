"""Stage ``local_features``: a drop's photos -> keypoints and visual words in Parquet shards."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from threadpoolctl import threadpool_limits

from doc_assets.archive.archive import Archive
from doc_assets.archive.shards import StoredPhoto, read_photos, write_features
from doc_assets.datatypes import LocalFeatures, PhotoPayload, SparseVector
from doc_assets.features.describer import Describer
from doc_assets.photos.cutting import decode_jpeg
from doc_assets.pipeline.stage import DueTable, PhotoStage, PhotoStageReport, run_photo_stage
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.threads import Workers

STAGE = "local_features"
STORED_FEATURES = 300
"""Keypoints kept of an archive photo: enough to verify it, in a seventh of the room of its JPEG."""

Described = tuple[LocalFeatures, SparseVector]


def describe_drop(
    archive: Archive, describer: Describer, workers: int, photos_version: str, drop_key: str, now: datetime
) -> PhotoStageReport:
    """Describes the photos of a drop, chunk by chunk, ``workers`` side by side; chunks that are up to date stay.

    Raises:
        SetupError: if the drop's photos were not cut with ``photos_version``.
    """
    # Threads of the algebra library inside ours wait for each other: measured 73 ms of CPU a photo instead of 48.
    with Workers(workers) as threads, threadpool_limits(1, "blas"):
        make = partial(_write, archive, describer, threads)
        stage = PhotoStage(STAGE, describer.features_id, photos_version, "local features", archive.feature_shard, make)
        return run_photo_stage(archive, stage, drop_key, now)


def _write(archive: Archive, describer: Describer, threads: Workers, table: DueTable) -> int:
    photos = read_photos(archive.photo_shard(table.chunk))

    def rows() -> Iterator[tuple[PhotoPayload, LocalFeatures, SparseVector]]:
        for payload, described in threads.map(partial(_attempt, describer), photos):
            if isinstance(described, Failure):
                reason = f"It could not be described: {described.reason}"
                table.faults.add_photo(payload, Failure(reason, described.code))
            else:
                yield payload, *described
        table.faults.file(archive)  # before the table appears that lacks them

    return write_features(table.path, table.provenance, rows(), STORED_FEATURES)


def _attempt(describer: Describer, photo: StoredPhoto) -> tuple[PhotoPayload, Described | Failure]:
    return photo.payload, attempt(f"keypoints of {photo.payload.place}", partial(_describe, describer, photo))


def _describe(describer: Describer, photo: StoredPhoto) -> Described:
    return describer.describe(decode_jpeg(photo.jpeg))
