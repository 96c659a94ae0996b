"""Vectors of a chunk of documents as one Parquet file: all that a collection is rebuilt from, without a GPU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from upath import UPath

from doc_assets.archive.payloads import PAYLOAD_FIELDS, payload_from_row, payload_row
from doc_assets.archive.tables import Stamp, read_rows, table_writer
from doc_assets.datatypes import Embeddings, PhotoPayload
from doc_assets.features.embedders.base import Embedder


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """A row of an embedding shard: which photo, and its unit vector (D,)."""

    payload: PhotoPayload
    vector: NDArray[np.float32]


def embedding_schema(dim: int) -> pa.Schema:
    """Columns of an embedding shard; every row names what made its vector."""
    return pa.schema(
        [
            *PAYLOAD_FIELDS,
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
            pa.field("embedder", pa.string(), nullable=False),
            pa.field("weights_sha256", pa.string(), nullable=False),
            pa.field("preprocessing", pa.string(), nullable=False),
        ]
    )


def write_embeddings(
    path: UPath, stamp: Stamp, payloads: Sequence[PhotoPayload], vectors: Embeddings, embedder: Embedder
) -> None:
    """Writes a shard; row i of ``vectors`` belongs to ``payloads[i]``."""
    made_by = {
        "embedder": embedder.embedder_id,
        "weights_sha256": embedder.weights_sha256,
        "preprocessing": embedder.preprocessing,
    }
    with table_writer(path, embedding_schema(embedder.dim), stamp, group_rows=1024) as table:
        for payload, vector in zip(payloads, vectors, strict=True):
            table.add({**payload_row(payload), "vector": vector.tolist(), **made_by})


def read_embeddings(path: UPath) -> Iterator[StoredEmbedding]:
    """The shard's vectors in order."""
    columns = [*(field.name for field in PAYLOAD_FIELDS), "vector"]
    for row in read_rows(path, columns, batch_rows=1024):
        yield StoredEmbedding(payload_from_row(row), np.asarray(row["vector"], np.float32))
