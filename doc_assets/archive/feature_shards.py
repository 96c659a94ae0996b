"""Local features of a chunk of documents as one Parquet file, and single photos out of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from upath import UPath

from doc_assets.archive.payloads import PAYLOAD_FIELDS, payload_from_row, payload_row
from doc_assets.archive.tables import Stamp, read_rows, read_rows_at, table_writer
from doc_assets.datatypes import LocalFeatures, PhotoPayload, SparseVector
from doc_assets.features.sift import DESCRIPTOR_DIM, THUMBNAIL_PX

FEATURE_SCHEMA = pa.schema(
    [
        *PAYLOAD_FIELDS,
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("points", pa.binary(), nullable=False),  # (N, 2) little-endian float16; 0.25 px at 384
        pa.field("descriptors", pa.binary(), nullable=False),  # (N, 128) uint8
        pa.field("thumbnail", pa.binary(), nullable=False),  # (64, 64) uint8
        pa.field("words", pa.list_(pa.uint32()), nullable=False),
        pa.field("word_weights", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class StoredWords:
    """The words of one photo of a shard."""

    payload: PhotoPayload
    words: SparseVector


def write_features(
    path: UPath, stamp: Stamp, rows: Iterable[tuple[PhotoPayload, LocalFeatures, SparseVector]], max_stored: int
) -> int:
    """Writes a shard; returns the number of photos.

    Args:
        path: where.
        stamp: what it is made from.
        rows: payload, features and words of every photo.
        max_stored: keypoints kept of a photo, the first ones; all of them count in its words.
    """
    n = 0
    with table_writer(path, FEATURE_SCHEMA, stamp) as table:
        for payload, features, words in rows:
            table.add(
                {
                    **payload_row(payload),
                    "width": features.width,
                    "height": features.height,
                    "points": features.points[:max_stored].astype("<f2").tobytes(),
                    "descriptors": features.descriptors[:max_stored].tobytes(),
                    "thumbnail": features.thumbnail.tobytes(),
                    "words": words.indices.tolist(),
                    "word_weights": words.values.tolist(),
                }
            )
            n += 1
    return n


def read_words(path: UPath) -> Iterator[StoredWords]:
    """The words of every photo of a shard, in order."""
    columns = [*(field.name for field in PAYLOAD_FIELDS), "words", "word_weights"]
    for row in read_rows(path, columns, batch_rows=256):
        yield StoredWords(payload_from_row(row), _words(row))


def read_features(path: UPath) -> Iterator[tuple[PhotoPayload, LocalFeatures, SparseVector]]:
    """Everything in a shard, in order."""
    for row in read_rows(path):
        yield payload_from_row(row), _features(row), _words(row)


def read_features_at(path: UPath, positions: Iterable[int]) -> dict[int, LocalFeatures]:
    """The features in some rows of a shard; only their part of the file is read."""
    columns = ["width", "height", "points", "descriptors", "thumbnail"]
    return {at: _features(row) for at, row in read_rows_at(path, positions, columns)}


def _words(row: dict[str, Any]) -> SparseVector:
    return SparseVector(np.array(row["words"], np.uint32), np.array(row["word_weights"], np.float32))


def _features(row: dict[str, Any]) -> LocalFeatures:
    points = np.frombuffer(row["points"], "<f2").astype(np.float32).reshape(-1, 2)
    descriptors = np.frombuffer(row["descriptors"], np.uint8).reshape(-1, DESCRIPTOR_DIM)
    thumbnail = np.frombuffer(row["thumbnail"], np.uint8).reshape(THUMBNAIL_PX, THUMBNAIL_PX)
    return LocalFeatures(points, descriptors, row["width"], row["height"], thumbnail)
