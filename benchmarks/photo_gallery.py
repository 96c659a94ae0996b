"""The photos of ``benchmarks.photos``: which are in the gallery, which are searched for, and what is kept of them.

A shelf is a folder of chunks; a chunk holds one ``.npy`` file for every column of 500 photos and is named after the
photos in it, so that a killed run goes on where it was and another list of photos never gets the wrong rows.
"""

import hashlib
import importlib
import multiprocessing
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.report import SHARED
from doc_assets.datatypes import Box, RgbImage
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.base import PhotoArea
from doc_assets.photos.cutting import cut, decode_jpeg, encode_jpeg

PROCESSES = 2
FIRST_DRAWN = 7_000_000
_SEED = 20
_TWIN = "img_302.jpg"  # a crop of img_295.jpg's shot: one of them must not be a negative of the other
_MAX_SIDE_PX, _QUALITY = 1024, 90  # as the product stores photos
_CHUNK, _PART = 500, 100
_SAMPLE = 8  # pictures that show whether the drawing changed

Record = dict[str, NDArray[Any]]
"""Columns of one photo, each with at least one axis."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a photo comes from.

    Attributes:
        name: file name of a real photograph, or None.
        number: of the real photograph in its folder, or of the drawn picture.
        attack: what happens to it; None for nothing.
    """

    name: str | None
    number: int
    attack: str | None = None

    @property
    def label(self) -> str:
        """For people."""
        return self.name or str(self.number)

    def pixels(self) -> RgbImage:
        """The photo, attacked."""
        if self.name is None:
            photo = draw_picture(self.number)
        else:
            with Image.open(SHARED / "photos" / self.name) as image:
                photo = np.asarray(image.convert("RGB"))
        if self.attack is None:
            return photo
        attacked: RgbImage = attacks().attack(
            self.attack, photo, 1000 * self.number + attack_names().index(self.attack)
        )
        return attacked


@dataclass(frozen=True, slots=True)
class Split:
    """What is searched in what.

    Attributes:
        gallery: the originals, other real photographs, then drawn ones; a smaller gallery is the beginning of it.
        n_real: how many of them are real.
        queries: attacked originals, and attacked photographs that are not in the gallery, shuffled.
        truth: (Q,) position of each query's original in the gallery; -1 for none.
    """

    gallery: list[Picture]
    n_real: int
    queries: list[Picture]
    truth: NDArray[np.int64]

    def of_first(self, n_queries: int | None) -> "Split":
        """The same with the first queries only; all for None."""
        return replace(self, queries=self.queries[:n_queries], truth=self.truth[:n_queries])


def split(originals: int, negatives: int, distractors: int) -> Split:
    """The same split of the real photographs every time."""
    names = sorted(path.name for path in (SHARED / "photos").glob("*.jpg"))
    real = [Picture(name, number) for number, name in enumerate(names) if name != _TWIN]
    rng = np.random.default_rng(_SEED)
    order = rng.permutation(len(real))
    chosen = [real[i] for i in order]
    held_out, inside = chosen[originals : originals + negatives], chosen[:originals] + chosen[originals + negatives :]
    asked = [(photo, at) for at, photo in enumerate(chosen[:originals])] + [(photo, -1) for photo in held_out]
    queries = [(Picture(photo.name, photo.number, name), at) for photo, at in asked for name in attack_names()]
    shuffled = [queries[i] for i in rng.permutation(len(queries))]
    drawn = [Picture(None, FIRST_DRAWN + i) for i in range(distractors)]
    truth = np.array([at for _, at in shuffled], np.int64)
    return Split(inside + drawn, len(inside), [query for query, _ in shuffled], truth)


@lru_cache(maxsize=1)
def attacks() -> ModuleType:
    """The shared attacks, which are no part of a package."""
    sys.path.insert(0, str(SHARED / "tools"))
    return importlib.import_module("attacks")


def attack_names() -> list[str]:
    """In the order of the shared file."""
    return list(attacks().ATTACKS)


def worker_pool(processes: int = PROCESSES) -> ProcessPoolExecutor:
    """Processes that compute with one thread each."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=spawn, initializer=_single_threaded)


def _single_threaded() -> None:
    import torch
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threadpool_limits(1)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Columns of a list of photos on disk; cheap to send to another process."""

    folder: Path
    chunks: tuple[str, ...]

    def row(self, column: str, at: int) -> NDArray[Any]:
        """One photo's part of a column."""
        chunk, within = self.folder / self.chunks[at // _CHUNK], at % _CHUNK
        ends = _mapped(chunk / f"{column}.ends.npy")
        return _mapped(chunk / f"{column}.npy")[ends[within - 1] if within else 0 : ends[within]]

    def whole(self, column: str) -> NDArray[Any]:
        """All photos' parts of a column, one after another."""
        return np.concatenate([_mapped(self.folder / chunk / f"{column}.npy") for chunk in self.chunks])

    def lengths(self, column: str) -> NDArray[np.int64]:
        """(N,) how long each photo's part of a column is."""
        ends = [_mapped(self.folder / chunk / f"{column}.ends.npy") for chunk in self.chunks]
        return np.concatenate([np.diff(each, prepend=0) for each in ends])

    def mean(self, column: str) -> float:
        """Of all values of a column."""
        return float(self.whole(column).mean())


@cache
def _mapped(path: Path) -> NDArray[Any]:
    column: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return column


Describe = Callable[[Sequence[RgbImage], bool], list[Record]]
"""(photos, whether they are queries) -> their records."""

Make = Callable[[int, Sequence[Picture]], list[Record]]
"""(position of the first, photos) -> their records."""


def fill(folder: Path, photos: Sequence[Picture], make: Make, pool: ProcessPoolExecutor) -> Shelf:
    """The shelf of these photos; chunks that are there stay."""
    starts = range(0, len(photos), _CHUNK)
    chunks = tuple(f"{start:06d}-{digest(repr(photos[start : start + _CHUNK]))}" for start in starts)
    missing = [start for start, chunk in zip(starts, chunks, strict=True) if not (folder / chunk).exists()]
    parts = [part for start in missing for part in range(start, min(start + _CHUNK, len(photos)), _PART)]
    made = pool.map(make, parts, [photos[part : part + _PART] for part in parts])  # chunks are whole parts
    done = zip(parts, made, strict=True)
    for n, start in enumerate(missing):
        n_parts = sum(start <= part < start + _CHUNK for part in parts)
        records = [record for _ in range(n_parts) for record in next(done)[1]]
        _write(folder / chunks[start // _CHUNK], records)
        print(f"{folder.parent.name}/{folder.name}: chunk {n + 1} of {len(missing)}", flush=True)
    return Shelf(folder, chunks)


def _write(folder: Path, records: Sequence[Record]) -> None:
    """A chunk that appears complete or not at all."""
    fresh = folder.with_name(f".{folder.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for column in records[0]:
        parts = [record[column] for record in records]
        np.save(fresh / f"{column}.npy", np.concatenate(parts), allow_pickle=False)
        np.save(fresh / f"{column}.ends.npy", np.cumsum([len(part) for part in parts]), allow_pickle=False)
    fresh.rename(folder)


def digest(text: str) -> str:
    """Eight hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@cache
def pictures_folder(work: Path) -> Path:
    """Where stored photos lie; another one when the attacks or the drawing change."""
    drawn = [hashlib.sha256(draw_picture(FIRST_DRAWN + i).tobytes()).hexdigest() for i in range(_SAMPLE)]
    return work / f"photos-{digest('|'.join([Path(str(attacks().__file__)).read_text(encoding='utf-8'), *drawn]))}"


def draw(_start: int, photos: Sequence[Picture]) -> list[Record]:
    """The JPEGs of photos, as the product stores them."""
    return [{"jpeg": np.frombuffer(_stored(photo.pixels()), np.uint8)} for photo in photos]


def _stored(photo: RgbImage) -> bytes:
    everything = PhotoArea(Box(0, 0, photo.shape[1], photo.shape[0]))
    return encode_jpeg(cut(photo, everything, _MAX_SIDE_PX), _QUALITY)


@dataclass(frozen=True, slots=True)
class Describing:
    """Makes records out of the pixels of stored photos, in whatever process.

    Attributes:
        stored: shelf of their JPEGs.
        describe: what makes the records.
        is_query: whether they are.
    """

    stored: Shelf
    describe: Describe
    is_query: bool

    def __call__(self, start: int, photos: Sequence[Picture]) -> list[Record]:
        """The records of photos that lie at ``start`` and after."""
        pixels = [stored_pixels(self.stored, start + i) for i in range(len(photos))]
        return self.describe(pixels, self.is_query)


def stored_pixels(stored: Shelf, at: int) -> RgbImage:
    """A stored photo, decoded."""
    return decode_jpeg(stored.row("jpeg", at).tobytes())
