"""Identifiers in any file, local or in object storage: found, overwritten in place in logs."""

import gzip
import mmap
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from doc_assets.ops.erasure.identifiers import Content, Identifiers, Residual
from doc_assets.util.files import is_local

_BATCH_ROWS = 64
_NOT_ITS_KIND = (pa.ArrowInvalid, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error)


def files_below(roots: Iterable[Path], without: Iterable[Path] = ()) -> Iterator[Path]:
    """Every regular file below ``roots`` once, in order, links not followed, those below ``without`` left out."""
    left_out = [path.resolve() for path in without]
    seen: set[Path] = set()
    for root in roots:
        for path in sorted(root.rglob("*")):
            place = path.resolve()
            if path.is_symlink() or not path.is_file() or place in seen:
                continue
            if not any(place.is_relative_to(folder) for folder in left_out):
                seen.add(place)
                yield path


def find(path: Path | UPath, identifiers: Identifiers) -> Residual | None:
    """The first identifier in a file: in its name, or in what it holds, unpacked if we know how; None for nothing."""
    if identifiers.is_in_text(path.name):
        return Residual(str(path), "its name")
    try:
        what = next((what for part in _contents(path) if (what := identifiers.is_in(part))), None)
    except FileNotFoundError:  # gone since the listing: a log that was rotated, a temporary file
        return None
    return Residual(str(path), what) if what else None


def remove_holding(folder: Path, identifiers: Identifiers) -> list[Path]:
    """Removes files of a folder that hold an identifier: kept query pictures, results that the ledger lost."""
    removed = [path for path in files_below([folder]) if find(path, identifiers) is not None]
    for path in removed:
        path.unlink()
    return removed


def overwrite(path: Path, identifiers: Identifiers) -> int:
    """Overwrites identifiers in a file with as many x; whoever has it open goes on. Returns how many."""
    if path.suffix == ".gz":
        unpacked = bytearray(gzip.decompress(path.read_bytes()))
        if n := _fill(unpacked, identifiers):
            path.write_bytes(gzip.compress(unpacked))
        return n
    if not path.stat().st_size:
        return 0
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        return _fill(content, identifiers)


def _fill(content: bytearray | mmap.mmap, identifiers: Identifiers) -> int:
    spans = list(identifiers.spans(content))
    for start, end, _ in spans:
        content[start:end] = b"x" * (end - start)
    return len(spans)


def _contents(path: Path | UPath) -> Iterator[Content]:
    """What a file holds, in parts that no name is divided between."""
    with path.open("rb") as file:
        if not is_local(UPath(path)):
            yield file.read()
        elif path.stat().st_size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield content
        file.seek(0)
        try:
            yield from _unpacked(file, path.suffix)
        except _NOT_ITS_KIND:
            return  # not what its name says; its bytes were looked at


def _unpacked(file: IO[Any], suffix: str) -> Iterator[bytes]:
    if suffix == ".parquet":
        yield from _columns(file)
    elif suffix == ".gz":
        yield gzip.GzipFile(fileobj=file).read()
    elif suffix in {".xlsx", ".zip"}:
        with zipfile.ZipFile(file) as packed:
            yield from map(packed.read, packed.namelist())


def _columns(source: IO[Any]) -> Iterator[bytes]:
    with pq.ParquetFile(source, pre_buffer=False) as table:
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
            for array in pa.Table.from_batches([batch]).flatten().itercolumns():
                if pa.types.is_string(array.type):
                    yield "\n".join(value or "" for value in array.to_pylist()).encode("utf-8", "surrogatepass")
                elif pa.types.is_binary(array.type):
                    yield b"\n".join(value or b"" for value in array.to_pylist())
