"""Between our values and those of the Qdrant engine in this process."""

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from doc_assets.archive.payloads import payload_from_row, point_row
from doc_assets.archive.vectors.base import VECTOR, WORDS, Exclusion, bag_of
from doc_assets.datatypes import IndexedPhoto, SparseVector
from doc_assets.errors import DocAssetsError, StoreUnavailableError

if TYPE_CHECKING:
    from qdrant_edge import EdgeShard, Filter
    from qdrant_edge import SparseVector as EngineSparseVector

BATCH = 512


def write(shard: "EdgeShard", points: Iterable[IndexedPhoto]) -> int:
    """Upserts points and returns how many."""
    import qdrant_edge as edge

    n = 0
    remaining = iter(points)
    while batch := list(islice(remaining, BATCH)):
        rows = [edge.Point(point.point_id, vectors_of(point), point_row(point.payload)) for point in batch]
        shard.update(edge.UpdateOperation.upsert_points(rows))
        n += len(batch)
    return n


def optimize(folder: Path) -> None:
    """Builds the search graph of the collection in a folder, in a process of its own."""
    command = [sys.executable, "-m", "doc_assets.archive.vectors.optimize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StoreUnavailableError(f"The search index in {folder} could not be built: {done.stderr.strip()[-500:]}")


def probe(folder: Path) -> str | None:
    """What is wrong with the collection in a folder, read by a process of its own; None if it can be read."""
    command = [sys.executable, "-m", "doc_assets.archive.vectors.probe", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    engine = next((line for line in said if "panicked" in line or "rror" in line), said[-1] if said else "")
    return f"its files are damaged (reading them ended with {done.returncode}: {engine.strip()[:300]})"


def point_of(record: Any) -> IndexedPhoto:  # noqa: ANN401 - the engine's own record
    """A record of the engine as a point."""
    vectors: Any = record.vector
    return IndexedPhoto(
        uuid.UUID(str(record.id)),
        np.asarray(vectors[VECTOR], np.float32),
        bag_of(vectors.get(WORDS)),
        payload_from_row(dict(record.payload or {})),
    )


def vectors_of(point: IndexedPhoto) -> Any:  # noqa: ANN401 - the engine's own union of vectors
    """A point's vectors by name; one without words has no sparse one."""
    vectors: dict[str, Any] = {VECTOR: point.vector}
    if len(point.words.indices):
        vectors[WORDS] = sparse(point.words)
    return vectors


def sparse(bag: SparseVector) -> "EngineSparseVector":
    """A bag of words as the engine takes it."""
    import qdrant_edge as edge

    return edge.SparseVector(indices=bag.indices.tolist(), values=bag.values.tolist())


def excluding(exclusion: Exclusion) -> "Filter | None":
    """The filter of a search; None if nothing is excluded."""
    import qdrant_edge as edge

    fields = {"document_id": exclusion.document_ids, "merchant_id": exclusion.merchant_ids}
    conditions: list[Any] = [
        edge.FieldCondition(field, match=edge.MatchAny(list(values))) for field, values in fields.items() if values
    ]
    return edge.Filter(must_not=conditions) if conditions else None


@contextlib.contextmanager
def engine_errors(collection: str) -> Iterator[None]:
    """The engine raises plain exceptions of several kinds; callers get one, with the collection's name."""
    try:
        yield
    except DocAssetsError:
        raise
    except Exception as error:  # the engine raises plain ones
        raise StoreUnavailableError(
            f"The embedded collection {collection!r} failed: {error}. Should it stay so, `doc-assets rebuild-index` "
            "makes it anew from Parquet."
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # the engine's own, which is no Exception
            raise
        raise StoreUnavailableError(f"The embedded collection {collection!r} broke: {error}") from error
