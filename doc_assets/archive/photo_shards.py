"""Photos of a chunk of documents as one Parquet file.

Columns ``image.bytes`` and ``image.path`` follow the layout that Hugging Face ``datasets`` reads as
pictures. Millions of small files would cost more in listing and copying than in bytes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from upath import UPath

from doc_assets.archive.payloads import PAYLOAD_FIELDS, payload_from_row, payload_row
from doc_assets.archive.tables import Stamp, read_rows, read_rows_at, table_writer
from doc_assets.datatypes import PhotoPayload

PHOTO_SCHEMA = pa.schema(
    [
        *PAYLOAD_FIELDS,
        pa.field("skew_deg", pa.float32(), nullable=False),
        pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A row of a photo shard: which photo, the angle it was straightened by, its JPEG bytes."""

    payload: PhotoPayload
    skew_deg: float
    jpeg: bytes


def write_photos(path: UPath, stamp: Stamp, photos: Iterable[StoredPhoto]) -> int:
    """Writes a shard; returns the number of photos."""
    n = 0
    with table_writer(path, PHOTO_SCHEMA, stamp) as table:
        for photo in photos:
            image = {"bytes": photo.jpeg, "path": f"{photo.payload.key}.jpg"}
            table.add({**payload_row(photo.payload), "skew_deg": photo.skew_deg, "image": image})
            n += 1
    return n


def read_photos(path: UPath) -> Iterator[StoredPhoto]:
    """The shard's photos in order, a few in memory at a time."""
    for row in read_rows(path):
        yield StoredPhoto(payload_from_row(row), row["skew_deg"], row["image"]["bytes"])


def read_jpegs_at(path: UPath, positions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The pictures in some rows of a shard, ascending, each with its row; only their row groups are read, each once."""
    for at, row in read_rows_at(path, positions, ["image"]):
        yield at, row["image"]["bytes"]


def read_photo_at(path: UPath, position: int) -> StoredPhoto:
    """One row of a shard; only its part of the file is read."""
    ((_, row),) = read_rows_at(path, [position], PHOTO_SCHEMA.names)
    return StoredPhoto(payload_from_row(row), row["skew_deg"], row["image"]["bytes"])
