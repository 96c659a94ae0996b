"""Tables of a chunk of documents, one Parquet file each: photos, their vectors, their local features, texts of pages.

Millions of small files would cost more in listing and copying than in bytes. A collection is rebuilt from vectors and
words alone, without a GPU.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from upath import UPath

from doc_assets.archive.payloads import PAYLOAD_COLUMNS, PAYLOAD_FIELDS, payload_from_row, payload_row
from doc_assets.archive.tables import Provenance, read_rows, read_rows_at, table_writer
from doc_assets.datatypes import Embeddings, LocalFeatures, PageText, PhotoPayload, SparseVector
from doc_assets.features.embedders.base import Embedder
from doc_assets.features.sift import DESCRIPTOR_DIM, THUMBNAIL_PX


def _required(**types: pa.DataType) -> list[pa.Field]:
    return [pa.field(name, of, nullable=False) for name, of in types.items()]


PHOTO_SCHEMA = pa.schema(
    [
        *PAYLOAD_FIELDS,
        *_required(
            skew_deg=pa.float32(),
            image=pa.struct([("bytes", pa.binary()), ("path", pa.string())]),  # as Hugging Face datasets reads pictures
        ),
    ]
)
FEATURE_SCHEMA = pa.schema(
    [
        *PAYLOAD_FIELDS,
        *_required(
            width=pa.int32(),
            height=pa.int32(),
            points=pa.binary(),  # (N, 2) little-endian float16; 0.25 px at 384
            descriptors=pa.binary(),  # (N, 128) uint8
            thumbnail=pa.binary(),  # (64, 64) uint8
            words=pa.list_(pa.uint32()),
            word_weights=pa.list_(pa.float32()),
        ),
    ]
)
PAGE_TEXT_SCHEMA = pa.schema(
    _required(
        document_id=pa.string(),
        sha256=pa.string(),
        page_index=pa.int32(),
        zone=pa.string(),
        text=pa.string(),
        confidence=pa.float32(),
        quarter_turns=pa.int8(),
        engine=pa.string(),
    )
)


def embedding_schema(dim: int) -> pa.Schema:
    """Columns of a table of vectors of that length; every row names what made its vector."""
    made_by = dict.fromkeys(("embedder", "weights_sha256", "preprocessing"), pa.string())
    return pa.schema([*PAYLOAD_FIELDS, *_required(vector=pa.list_(pa.float32(), dim), **made_by)])


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A row of photos: which photo, the angle it was straightened by in degrees, its JPEG bytes."""

    payload: PhotoPayload
    skew_deg: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """A row of vectors: which photo, and its unit vector (D,)."""

    payload: PhotoPayload
    vector: NDArray[np.float32]


def write_photos(path: UPath, provenance: Provenance, photos: Iterable[StoredPhoto]) -> int:
    """Writes a table of photos; returns their number."""
    with table_writer(path, PHOTO_SCHEMA, provenance) as table:
        for photo in photos:
            image = {"bytes": photo.jpeg, "path": f"{photo.payload.key}.jpg"}
            table.add({**payload_row(photo.payload), "skew_deg": photo.skew_deg, "image": image})
    return table.n_rows


def read_photos(path: UPath) -> Iterator[StoredPhoto]:
    """The photos of a table in order, a few in memory at a time."""
    return map(_photo, read_rows(path))


def read_photo_at(path: UPath, position: int) -> StoredPhoto:
    """The photo in one row; only its part of the file is read."""
    ((_, row),) = read_rows_at(path, [position], PHOTO_SCHEMA.names)
    return _photo(row)


def read_jpegs_at(path: UPath, positions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The pictures in some rows, ascending, each with its row; only their row groups are read, each once."""
    for at, row in read_rows_at(path, positions, ["image"]):
        yield at, row["image"]["bytes"]


def write_embeddings(
    path: UPath, provenance: Provenance, payloads: Sequence[PhotoPayload], vectors: Embeddings, embedder: Embedder
) -> None:
    """Writes a table of vectors; row i of ``vectors`` belongs to ``payloads[i]``."""
    made_by = {
        "embedder": embedder.embedder_id,
        "weights_sha256": embedder.weights_sha256,
        "preprocessing": embedder.preprocessing,
    }
    with table_writer(path, embedding_schema(embedder.dim), provenance, group_rows=1024) as table:
        for payload, vector in zip(payloads, vectors, strict=True):
            table.add({**payload_row(payload), "vector": vector.tolist(), **made_by})


def read_embeddings(path: UPath) -> Iterator[StoredEmbedding]:
    """The vectors of a table in order."""
    for row in read_rows(path, [*PAYLOAD_COLUMNS, "vector"], batch_rows=1024):
        yield StoredEmbedding(payload_from_row(row), np.asarray(row["vector"], np.float32))


def write_features(
    path: UPath,
    provenance: Provenance,
    rows: Iterable[tuple[PhotoPayload, LocalFeatures, SparseVector]],
    max_stored: int,
) -> int:
    """Writes a table of local features; returns the number of photos.

    Args:
        path: where.
        provenance: what it is made from.
        rows: payload, features and words of every photo.
        max_stored: keypoints kept of a photo, the first ones; all of them count in its words.
    """
    with table_writer(path, FEATURE_SCHEMA, provenance) as table:
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
    return table.n_rows


def read_words(path: UPath) -> Iterator[tuple[PhotoPayload, SparseVector]]:
    """The words of every photo of a table of local features, in order."""
    for row in read_rows(path, [*PAYLOAD_COLUMNS, "words", "word_weights"], batch_rows=256):
        yield payload_from_row(row), _words(row)


def read_features(path: UPath) -> Iterator[tuple[PhotoPayload, LocalFeatures, SparseVector]]:
    """Everything in a table of local features, in order."""
    for row in read_rows(path):
        yield payload_from_row(row), _features(row), _words(row)


def read_features_at(path: UPath, positions: Iterable[int]) -> dict[int, LocalFeatures]:
    """The local features in some rows; only their part of the file is read."""
    columns = ["width", "height", "points", "descriptors", "thumbnail"]
    return {at: _features(row) for at, row in read_rows_at(path, positions, columns)}


def write_page_texts(
    path: UPath, provenance: Provenance, engine_id: str, rows: Iterable[tuple[str, str, PageText]]
) -> None:
    """Writes a table of texts; each row is a document's id, its digest, and the text of one zone of a page."""
    with table_writer(path, PAGE_TEXT_SCHEMA, provenance, group_rows=1024) as table:
        for document_id, sha256, text in rows:
            table.add({"document_id": document_id, "sha256": sha256, **asdict(text), "engine": engine_id})


def _photo(row: dict[str, Any]) -> StoredPhoto:
    return StoredPhoto(payload_from_row(row), row["skew_deg"], row["image"]["bytes"])


def _words(row: dict[str, Any]) -> SparseVector:
    return SparseVector(np.array(row["words"], np.uint32), np.array(row["word_weights"], np.float32))


def _features(row: dict[str, Any]) -> LocalFeatures:
    points = np.frombuffer(row["points"], "<f2").astype(np.float32).reshape(-1, 2)
    descriptors = np.frombuffer(row["descriptors"], np.uint8).reshape(-1, DESCRIPTOR_DIM)
    thumbnail = np.frombuffer(row["thumbnail"], np.uint8).reshape(THUMBNAIL_PX, THUMBNAIL_PX)
    return LocalFeatures(points, descriptors, row["width"], row["height"], thumbnail)
