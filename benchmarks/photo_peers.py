"""What others use to find copies of photos: perceptual hashes, and keypoints matched one by one.

pHash: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, as in ``imagehash``. PDQ:
Facebook, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019, as in ``pdqhash``. ORB and
SIFT: OpenCV's own, 500 keypoints, ratio test and a homography by RANSAC, on the best candidates of PDQ.
"""

import importlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.photo_gallery import Record, Shelf, digest, stored_pixels
from benchmarks.photo_metrics import DEPTH, Ranking, nearest
from doc_assets.datatypes import N_VIEWS, RgbImage, View

RERANKED = 50
DETECTORS = ("orb", "sift")
HASHES = {"pHash 64, 8 views": ("phash", N_VIEWS), "PDQ 256": ("pdq", 1), "PDQ 256, 8 views": ("pdq", N_VIEWS)}
"""Method -> column, and how many views of the query are compared."""
CANDIDATES = "PDQ 256, 8 views"
"""The one whose best candidates are matched by keypoints."""
_LONG_SIDE_PX, _KEYPOINTS, _RATIO, _TOLERANCE_PX, _LEAST_MATCHES = 512, 500, 0.75, 5.0, 4
_POSITIONS_A_TASK = 100

Task = Sequence[tuple[int, Sequence[int]]]
"""Positions in the gallery, and the queries that they are candidates of."""


def hashes(photos: Sequence[RgbImage], is_query: bool) -> list[Record]:
    """Hashes of 64-bit parts, (V, 1) and (V, 4), V being 8 for a query and 1 for a photo of the gallery."""
    return [_hashes(photo, is_query) for photo in photos]


def _hashes(photo: RgbImage, is_query: bool) -> Record:
    imagehash, pdqhash = importlib.import_module("imagehash"), importlib.import_module("pdqhash")
    began = time.process_time()
    grey = np.asarray(Image.fromarray(photo).convert("L"))
    views = [View.at(i).apply(grey) for i in range(N_VIEWS if is_query else 1)]
    phash = np.stack([np.packbits(imagehash.phash(Image.fromarray(view)).hash) for view in views])
    hashed = time.process_time()
    pdq = np.atleast_2d(pdqhash.compute(photo)[0])
    upright = time.process_time()
    if is_query:
        pdq = np.stack(pdqhash.compute_dihedral(photo)[0])
    seconds = {"phash_s": hashed - began, "pdq_s": upright - hashed, "pdq_views_s": time.process_time() - upright}
    return {
        "phash": phash.view(np.uint64),
        "pdq": np.packbits(pdq.astype(np.uint8), axis=1).view(np.uint64),
        **{name: np.array([value]) for name, value in seconds.items()},
    }


@dataclass(frozen=True, slots=True)
class HashSearch:
    """What a hash finds.

    Attributes:
        rankings: for every gallery size; scores are negative Hamming distances.
        candidates: the best ``RERANKED`` positions of every query in the largest gallery.
        seconds: CPU time of comparing one query with the largest gallery.
    """

    rankings: dict[int, Ranking]
    candidates: list[NDArray[np.int64]]
    seconds: float


def search_hashes(
    queries: NDArray[np.uint64], gallery: NDArray[np.uint64], n_queries: int, views: int, sizes: Sequence[int]
) -> HashSearch:
    """Compares every query's first ``views`` hashes with the gallery; equal distances stand in random order."""
    noise = np.random.default_rng(0).random(len(gallery)) / 2
    answers: dict[int, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {size: [] for size in sizes}
    candidates = []
    spent = 0.0
    for query in queries.reshape(n_queries, -1, queries.shape[1])[:, :views]:
        began = time.process_time()
        bits = np.bitwise_count(query[:, None] ^ gallery).sum(axis=2, dtype=np.uint16)
        closeness = -(bits.min(axis=0) + noise)
        best = nearest(closeness, RERANKED)
        spent += time.process_time() - began
        candidates.append(best)
        for size in sizes:
            within = best if size == len(gallery) else nearest(closeness[:size], DEPTH)
            answers[size].append((within, np.ceil(closeness[within])))
    rankings = {size: Ranking.of(rows) for size, rows in answers.items()}
    return HashSearch(rankings, candidates, spent / n_queries)


def keypoints(photos: Sequence[RgbImage], _is_query: bool) -> list[Record]:
    """ORB and SIFT keypoints of queries, upright and mirrored."""
    return [_keypoints(photo) for photo in photos]


def _keypoints(photo: RgbImage) -> Record:
    record: Record = {}
    for name in DETECTORS:
        began = time.process_time()
        for side, pixels in (("upright", photo), ("mirrored", photo[:, ::-1])):
            points, descriptors = detect(name, np.ascontiguousarray(pixels))
            record |= {f"{name}_{side}_points": points, f"{name}_{side}": descriptors}
        record[f"{name}_s"] = np.array([time.process_time() - began])
    return record


def detect(name: str, photo: RgbImage) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(N, 2) places and (N, 32 or 128) descriptors of keypoints on the photo at 512 px."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    scale = _LONG_SIDE_PX / max(grey.shape)
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    detector: Any = cv2.ORB.create(_KEYPOINTS) if name == "orb" else cv2.SIFT.create(_KEYPOINTS)
    found, descriptors = detector.detectAndCompute(small, None)
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 32 if name == "orb" else 128), np.uint8)
    return np.array([keypoint.pt for keypoint in found], np.float32), descriptors.astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Reranked:
    """The candidates of a hash in the order of keypoint matches.

    Attributes:
        ranking: by inliers; equal ones in the order of the hash.
        index_s, pair_s: CPU time of one gallery photo's keypoints, and of matching one pair.
        n_bytes: the keypoints of a gallery photo.
    """

    ranking: Ranking
    index_s: float
    pair_s: float
    n_bytes: float


def rerank(
    pool: ProcessPoolExecutor, candidates: Sequence[NDArray[np.int64]], stored: Shelf, queries: Shelf
) -> dict[str, Reranked]:
    """Matches every candidate with its query; each gallery photo that is a candidate is described once."""
    pairs = sorted((int(at), number) for number, found in enumerate(candidates) for at in found)
    by_position = [(at, [number for _, number in group]) for at, group in groupby(pairs, key=lambda pair: pair[0])]
    tasks = [by_position[i : i + _POSITIONS_A_TASK] for i in range(0, len(by_position), _POSITIONS_A_TASK)]
    inliers: dict[str, dict[tuple[int, int], int]] = {name: {} for name in DETECTORS}
    spent = np.zeros((len(DETECTORS), 3))
    cached = [queries.folder / "matched" / f"{digest(repr((task, stored, queries)))}.npz" for task in tasks]
    done = pool.map(_matched, cached, tasks, [stored] * len(tasks), [queries] * len(tasks))
    for n, (task, (counts, seconds)) in enumerate(zip(tasks, done, strict=True)):
        keys = [(number, at) for at, numbers in task for number in numbers]
        for name, column in zip(DETECTORS, counts.T.tolist(), strict=True):
            inliers[name].update(zip(keys, column, strict=True))
        spent += seconds
        if n % 20 == 19:
            print(f"re-ranking: {n + 1} of {len(tasks)}", flush=True)
    per = spent / [len(by_position), len(pairs), len(by_position)]
    return {
        name: Reranked(Ranking.of(_by_inliers(inliers[name], candidates)), *per[i].tolist())
        for i, name in enumerate(DETECTORS)
    }


def _by_inliers(
    inliers: dict[tuple[int, int], int], candidates: Sequence[NDArray[np.int64]]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    for number, found in enumerate(candidates):
        scores = np.array([inliers[number, int(at)] for at in found], np.float64)
        order = np.argsort(-scores, kind="stable")
        yield found[order], scores[order]


def _matched(cached: Path, task: Task, stored: Shelf, queries: Shelf) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """As ``_match``, out of a file if it was done before."""
    if not cached.exists():
        counts, spent = _match(task, stored, queries)
        cached.parent.mkdir(exist_ok=True)
        fresh = cached.with_suffix(".fresh.npz")
        np.savez(fresh, counts=counts, spent=spent)
        fresh.rename(cached)
    with np.load(cached, allow_pickle=False) as kept:
        return kept["counts"], kept["spent"]


def _match(task: Task, stored: Shelf, queries: Shelf) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(pairs, detectors) inliers, and (detectors, 3) CPU seconds of describing and of matching, and bytes."""
    counts: list[list[int]] = []
    spent = np.zeros((len(DETECTORS), 3))
    for at, numbers in task:
        photo = stored_pixels(stored, at)
        columns = []
        for i, name in enumerate(DETECTORS):
            began = time.process_time()
            points, descriptors = detect(name, photo)
            described = time.process_time()
            columns.append([_inliers(name, queries, number, points, descriptors) for number in numbers])
            n_bytes = points.nbytes + descriptors.nbytes
            spent[i] += described - began, time.process_time() - described, n_bytes
        counts += [list(row) for row in zip(*columns, strict=True)]
    return np.array(counts, np.int64), spent


def _inliers(
    name: str, queries: Shelf, number: int, points: NDArray[np.float32], descriptors: NDArray[np.uint8]
) -> int:
    """Of the better of the query's two sides."""
    sides = [
        (queries.row(f"{name}_{side}_points", number), queries.row(f"{name}_{side}", number))
        for side in ("upright", "mirrored")
    ]
    return most_inliers(name, sides, (points, descriptors))


Detected = tuple[NDArray[np.float32], NDArray[np.uint8]]
"""Places and descriptors, as ``detect`` finds them."""


def most_inliers(name: str, sides: Sequence[Detected], stored: Detected) -> int:
    """Keypoints that agree on a homography, of the better of a query's two sides.

    Args:
        name: of the detector.
        sides: of the query, upright and mirrored.
        stored: of the other photo.
    """
    best = 0
    for points, own in sides:
        if min(len(own), len(stored[1])) < _LEAST_MATCHES:
            continue
        first, second, where = _two_nearest(name, own, stored[1])
        clear = np.flatnonzero(first < _RATIO * second)
        if len(clear) > max(best, _LEAST_MATCHES - 1):
            _, mask = cv2.findHomography(points[clear], stored[0][where[clear]], cv2.RANSAC, _TOLERANCE_PX)
            best = max(best, 0 if mask is None else int(mask.sum()))
    return best


def inliers_of_pair(name: str, query: RgbImage, stored: RgbImage) -> int:
    """The same of two photos."""
    sides = [detect(name, np.ascontiguousarray(side)) for side in (query, query[:, ::-1])]
    return most_inliers(name, sides, detect(name, stored))


def pdq_distance(query: RgbImage, stored: RgbImage) -> int:
    """Bits of 256 in which PDQ hashes differ, of the nearest of the query's eight views."""
    pdqhash = importlib.import_module("pdqhash")
    views, hashed = np.stack(pdqhash.compute_dihedral(query)[0]), pdqhash.compute(stored)[0]
    return int((views != hashed).sum(axis=1).min())


def _two_nearest(
    name: str, one: NDArray[np.uint8], other: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Distances to the nearest and the second nearest descriptor, and which the nearest is."""
    if name == "orb":
        distances, places = cv2.batchDistance(one, other, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2)
        return distances[:, 0].astype(np.float64), distances[:, 1].astype(np.float64), places[:, 0]
    a, b = one.astype(np.float32), other.astype(np.float32)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)  # whole numbers below 2 ** 24
    rows, where = np.arange(len(a)), squares.argmin(axis=1)
    first = squares[rows, where]
    squares[rows, where] = np.inf
    second = squares.min(axis=1)
    return np.sqrt(first.astype(np.float64)), np.sqrt(second.astype(np.float64)), where
