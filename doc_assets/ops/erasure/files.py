"""Names and contents in any file: found, overwritten in place in logs."""

import contextlib
import gzip
import mmap
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from doc_assets.ops.erasure.needles import Needles, Trace

_BATCH_ROWS = 64
_FILLER = b"x"


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


def find(path: Path, needles: Needles) -> Trace | None:
    """The first trace in a file: in its name, or in what it holds, unpacked if we know how."""
    try:
        if needles.is_in_text(path.name):
            return Trace(str(path), "its name")
        for content in _contents(path):
            if found := needles.is_in(content):
                return Trace(str(path), found)
    except FileNotFoundError:  # gone since the listing: a log that was rotated, a temporary file
        return None
    return None


def overwrite(path: Path, needles: Needles) -> int:
    """Overwrites what is found in a file with as many x; whoever has it open goes on. Returns how often."""
    if path.suffix == ".gz":
        return _overwrite_packed(path, needles)
    if not path.stat().st_size:
        return 0
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        spans = list(needles.spans(content))
        for start, end in spans:
            content[start:end] = _FILLER * (end - start)
        content.flush()
    return len(spans)


def _overwrite_packed(path: Path, needles: Needles) -> int:
    content = bytearray(gzip.decompress(path.read_bytes()))
    spans = list(needles.spans(bytes(content)))
    for start, end in spans:
        content[start:end] = _FILLER * (end - start)
    if spans:
        path.write_bytes(gzip.compress(bytes(content)))
    return len(spans)


def find_in_store(root: UPath, needles: Needles) -> Iterator[tuple[UPath, Trace]]:
    """Traces below a folder of object storage, and the objects they are in; every object is read."""
    for path in sorted(root.rglob("*"), key=str):
        if path.is_file() and (trace := find_in_object(path, needles)) is not None:
            yield path, trace


def find_in_object(path: UPath, needles: Needles) -> Trace | None:
    """The first trace in an object: in its name, or in what it holds."""
    if needles.is_in_text(path.name):
        return Trace(str(path), "its name")
    content = path.read_bytes()
    parts = [content]
    if path.suffix == ".parquet":
        with contextlib.suppress(pa.ArrowInvalid):  # not what its name says; its bytes are looked at
            parts += _columns(pa.BufferReader(content))
    found = next(filter(None, map(needles.is_in, parts)), None)
    return Trace(str(path), found) if found else None


def _contents(path: Path) -> Iterator[Any]:
    """What a file holds, in pieces that no word is divided between."""
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content
    try:
        if path.suffix == ".parquet":
            yield from _columns(path)
        elif path.suffix == ".gz":
            with gzip.open(path) as packed:
                yield packed.read()
        elif path.suffix in {".xlsx", ".zip"}:
            with zipfile.ZipFile(path) as packed:
                yield from (packed.read(name) for name in packed.namelist())
    except (pa.ArrowInvalid, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error):
        return  # not what its name says; its bytes were looked at


def _columns(source: Path | pa.BufferReader) -> Iterator[bytes]:
    with pq.ParquetFile(source, pre_buffer=False) as table:
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
            for array in pa.Table.from_batches([batch]).flatten().itercolumns():
                if pa.types.is_string(array.type):
                    yield "\n".join(value or "" for value in array.to_pylist()).encode("utf-8", "surrogatepass")
                elif pa.types.is_binary(array.type):
                    yield b"\n".join(value or b"" for value in array.to_pylist())
