"""Parquet files that hold their provenance.

The provenance of a table is what made it and a digest of its inputs. A table whose provenance is the expected one
needs no work; that is how a killed run resumes and a changed setting shows.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from doc_assets.util.files import atomic_writer

_MADE_WITH, _DOCUMENTS, _SEALED = b"doc_assets.made_with", b"doc_assets.documents", b"doc_assets.sealed"
_SEAL = b"DocSHA2\n"
"""Begins the seal of a table: the SHA-256 of all its other bytes, between its pages and its footer, where readers of
Parquet do not look. One file that is complete or not there needs no second one that could belong to another state."""

_SEAL_BYTES = len(_SEAL) + hashlib.sha256().digest_size
_MAGIC = b"PAR1"
_TAIL_BYTES = 4 + len(_MAGIC)  # length of the footer, and the magic
_PIECE_BYTES = 1 << 20
_NEAR_END_BYTES = 1 << 16
DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError)
"""What reading a damaged table may raise."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a table was made from.

    Attributes:
        made_with: version of the code, weights and settings that made it.
        documents: digest of the documents in it.
    """

    made_with: str
    documents: str

    @classmethod
    def of(cls, made_with: str, documents: Iterable[tuple[str, str]]) -> Self:
        """The provenance of a table about these documents, each a document id and the digest of its content."""
        text = json.dumps(list(documents), ensure_ascii=False, separators=(",", ":"))
        return cls(made_with, hashlib.sha256(text.encode()).hexdigest())


class TableWriter:
    """Appends rows to a table, ``group_rows`` at a time, so that memory stays flat.

    Attributes:
        n_rows: rows added so far.
    """

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, group_rows: int) -> None:
        self._writer, self._schema, self._group_rows = writer, schema, group_rows
        self._rows: list[dict[str, Any]] = []
        self.n_rows = 0

    def add(self, row: dict[str, Any]) -> None:
        """One row, as the schema names its columns."""
        self._rows.append(row)
        self.n_rows += 1
        if len(self._rows) >= self._group_rows:
            self.flush()

    def flush(self) -> None:
        """Writes the rows held back."""
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


@contextmanager
def table_writer(path: UPath, schema: pa.Schema, provenance: Provenance, group_rows: int = 16) -> Iterator[TableWriter]:
    """A table that appears at ``path`` with its provenance, complete, or not at all if the block raises."""
    marks = {_MADE_WITH: provenance.made_with.encode(), _DOCUMENTS: provenance.documents.encode(), _SEALED: b"sha256"}
    written = schema.with_metadata({**(schema.metadata or {}), **marks})
    with atomic_writer(path) as target:
        with pq.ParquetWriter(target, written, compression="zstd") as writer:
            rows = TableWriter(writer, written, group_rows)
            yield rows
            rows.flush()
        _seal(target)


def _seal(file: IO[bytes]) -> None:
    """Puts the digest of a written table into it."""
    size = file.seek(0, os.SEEK_END)
    at = _footer_at(file, size)
    if at is None:
        raise OSError(f"A table of {size} bytes was written that has no footer.")
    digest = _digest(file, 0, size)
    file.seek(at)
    footer = file.read()
    file.seek(at)
    file.write(_SEAL + digest.digest() + footer)


def is_intact(path: UPath) -> bool | None:
    """Whether every byte of a table is as it was written; None if it was written before tables had seals."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _NEAR_END_BYTES))
        end = file.read()
        is_sealed = _SEAL in end or _SEALED in end  # either says so, should the other be what was damaged
        at = _footer_at(file, size)
        if at is None or at < _SEAL_BYTES:
            return False if is_sealed or at is None else None
        file.seek(at - _SEAL_BYTES)
        seal = file.read(_SEAL_BYTES)
        if not is_sealed and not seal.startswith(_SEAL):
            return None
        digest = _digest(file, 0, at - _SEAL_BYTES)
        file.seek(at)
        digest.update(file.read())
        return seal == _SEAL + digest.digest()


def _footer_at(file: IO[bytes], size: int) -> int | None:
    """Where a table's footer begins; None if it has none."""
    if size < _TAIL_BYTES + len(_MAGIC):
        return None
    file.seek(size - _TAIL_BYTES)
    tail = file.read(_TAIL_BYTES)
    at = size - _TAIL_BYTES - int.from_bytes(tail[:4], "little")
    return at if tail.endswith(_MAGIC) and at >= len(_MAGIC) else None


def _digest(file: IO[bytes], start: int, end: int) -> "hashlib._Hash":
    digest, left = hashlib.sha256(), end - start
    file.seek(start)
    while left and (piece := file.read(min(left, _PIECE_BYTES))):
        digest.update(piece)
        left -= len(piece)
    return digest


def read_provenance(path: UPath) -> Provenance | None:
    """The provenance of the table at ``path``; None if there is no table or it is damaged."""
    try:
        with path.open("rb") as source:
            metadata = pq.read_schema(source).metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    except OSError as error:
        if error.errno is None:  # Arrow's own, for a footer that makes no sense
            return None
        raise
    if _MADE_WITH not in metadata or _DOCUMENTS not in metadata:
        return None
    return Provenance(metadata[_MADE_WITH].decode(), metadata[_DOCUMENTS].decode())


def keep_rows(path: UPath, provenance: Provenance, wanted: set[tuple[str, str]]) -> None:
    """Rewrites a table with the rows of ``wanted`` documents (id, content digest) only, under a new provenance."""
    with path.open("rb") as source:
        schema = pq.read_schema(source)
    with table_writer(path, schema, provenance) as table:
        for row in read_rows(path):
            if (row["document_id"], row["sha256"]) in wanted:
                table.add(row)


def read_rows(path: UPath, columns: Sequence[str] | None = None, batch_rows: int = 16) -> Iterator[dict[str, Any]]:
    """The table's rows in order, ``batch_rows`` in memory at a time."""
    # Reading ahead and in threads holds whole row groups of pictures: measured 330 MiB instead of 175.
    with path.open("rb") as source, pq.ParquetFile(source, pre_buffer=False) as table:
        wanted = list(columns) if columns is not None else None
        for batch in table.iter_batches(batch_size=batch_rows, columns=wanted, use_threads=False):
            yield from batch.to_pylist()


def read_rows_at(path: UPath, positions: Iterable[int], columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows at ``positions``, ascending, each with its position; only their row groups are read."""
    wanted = sorted(set(positions))
    with path.open("rb") as source, pq.ParquetFile(source, pre_buffer=False) as table:
        first = 0
        for group in range(table.num_row_groups):
            end = first + table.metadata.row_group(group).num_rows
            inside = [at - first for at in wanted if first <= at < end]
            if inside:
                rows = table.read_row_group(group, columns=list(columns), use_threads=False).take(inside)
                yield from ((first + at, row) for at, row in zip(inside, rows.to_pylist(), strict=True))
            first = end


def column_names(path: UPath) -> list[str]:
    """Names of a table's columns, from the footer alone."""
    with path.open("rb") as source:
        return list(pq.read_schema(source).names)


def count_rows(path: UPath) -> int:
    """Number of rows, from the footer alone."""
    with path.open("rb") as source:
        return int(pq.read_metadata(source).num_rows)
