"""Collections as Parquet, the same for every store: what was exported from one can be loaded into another."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
from upath import UPath

from doc_assets.archive.payloads import DATE_FIELDS, PAYLOAD_FIELDS, payload_from_row, point_row
from doc_assets.archive.tables import Provenance, count_rows, read_rows, table_writer
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import IndexedPhoto, SparseVector
from doc_assets.errors import BackupError
from doc_assets.ops.backup.manifest import CollectionPart
from doc_assets.util.progress import track

_FOLDER = "vectors"
_OURS = "photos__"
_ROWS_A_GROUP = 1024
_POINTS_AT_ONCE = 512


def our_collections(store: VectorStore) -> list[str]:
    """Collections of this program; a server may hold those of others."""
    return [name for name in store.collections() if name.startswith(_OURS)]


def save_collections(store: VectorStore, folder: Path) -> dict[str, CollectionPart]:
    """Writes every collection into ``folder/vectors``."""
    names = our_collections(store)
    return {name: _save(store, name, folder) for name in track(names, "collections", len(names))}


def load_collections(
    store: VectorStore, folder: Path, collections: dict[str, CollectionPart], aliases: dict[str, str]
) -> None:
    """Makes these all collections of the store, and points the aliases at them.

    Raises:
        BackupError: if one does not hold as many points afterwards as were saved.
    """
    for name in our_collections(store):
        store.drop(name)
    for name, part in track(collections.items(), "collections", len(collections)):
        store.create(name, part.dim)
        left = _points(UPath(folder / part.file))
        while batch := list(islice(left, _POINTS_AT_ONCE)):
            store.upsert(name, batch)
        store.finish(name)
        if (found := store.count(name)) != part.points:
            raise BackupError(f"Collection {name} holds {found} points after loading, {part.points} were saved.")
    for alias, name in aliases.items():
        store.publish(alias, name)
    if not aliases.items() <= store.aliases().items():
        raise BackupError(f"The vector store has the aliases {store.aliases()}, {aliases} were saved.")


def count_points(path: Path) -> int:
    """Points in an exported collection, every one of them read.

    Raises:
        BackupError: if the file cannot be read.
    """
    try:
        n = sum(1 for _ in _points(UPath(path)))
        if n != count_rows(UPath(path)):
            raise BackupError(f"{path} says it has {count_rows(UPath(path))} rows and has {n}.")
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise BackupError(f"{path} is no exported collection: {error}") from error
    return n


def _save(store: VectorStore, collection: str, folder: Path) -> CollectionPart:
    dim, file = store.dim(collection), f"{_FOLDER}/{collection}.parquet"
    n = 0
    with table_writer(UPath(folder / file), _schema(dim), Provenance.of(collection, ()), _ROWS_A_GROUP) as table:
        for point in store.points(collection):
            words = {"words": point.words.indices.tolist(), "weights": point.words.values.tolist()}
            row = {**point_row(point.payload), "point_id": str(point.point_id), "image": point.vector.tolist()}
            table.add({**row, **words})
            n += 1
    if (counted := store.count(collection)) != n:
        raise BackupError(f"Collection {collection} holds {counted} points, {n} could be read. Try again.")
    return CollectionPart(file=file, dim=dim, points=n)


def _schema(dim: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("point_id", pa.string(), nullable=False),
            *PAYLOAD_FIELDS,
            *DATE_FIELDS,
            pa.field("image", pa.list_(pa.float32(), dim), nullable=False),
            pa.field("words", pa.list_(pa.uint32()), nullable=False),
            pa.field("weights", pa.list_(pa.float32()), nullable=False),
        ]
    )


def _points(path: UPath) -> Iterator[IndexedPhoto]:
    for row in read_rows(path, batch_rows=_ROWS_A_GROUP):
        words = SparseVector(np.asarray(row["words"], np.uint32), np.asarray(row["weights"], np.float32))
        yield IndexedPhoto(UUID(row["point_id"]), np.asarray(row["image"], np.float32), words, payload_from_row(row))
