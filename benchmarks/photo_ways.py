"""The product's ways of finding a photo, searched exactly: by vectors, with words, and with a look at each pair."""

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.photo_gallery import Record, Shelf
from benchmarks.photo_metrics import DEPTH, nearest
from doc_assets.datatypes import LocalFeatures, RgbImage
from doc_assets.features.embedders.base import Embedder, make_embedder
from doc_assets.features.sift import SiftExtractor, mirrored
from doc_assets.features.words import Describer, VisualWords
from doc_assets.pipeline.describing import STORED_FEATURES
from doc_assets.search.matching import HANDFUL
from doc_assets.search.verify.geometry import align
from doc_assets.search.verify.probability import PairModel

MATCH = 0.5
"""Probability from which on a pair counts as the same shot."""
_RANK_OFFSET = 60  # of reciprocal rank fusion, as in search/retrieval.py
_QUERIES_AT_ONCE = 100
_FIELDS = dataclasses.fields(LocalFeatures)


@lru_cache(maxsize=2)
def embedder(checkpoint: str = "") -> Embedder:
    """The built-in one, or any encoder that transformers loads from a folder."""
    name, options = ("transformers", {"checkpoint": checkpoint}) if checkpoint else ("gist", {})
    return make_embedder(name, options, device="cpu", batch_size=32)


@lru_cache(maxsize=1)
def _describer() -> Describer:
    return Describer(SiftExtractor(), VisualWords())


def own_folder(work: Path) -> Path:
    """Where vectors and features lie; another one when the method changes."""
    made_with = [embedder().embedder_id, _describer().features_id, *(field.name for field in _FIELDS)]
    return work / f"photos-{hashlib.sha256('|'.join(made_with).encode()).hexdigest()[:8]}"


def describe(photos: Sequence[RgbImage], is_query: bool) -> list[Record]:
    """Vectors, keypoints and words of photos."""
    vectors = describe_vectors(photos, is_query)
    return [record | _local(photo, is_query) for record, photo in zip(vectors, photos, strict=True)]


def describe_vectors(photos: Sequence[RgbImage], is_query: bool, checkpoint: str = "") -> list[Record]:
    """Vectors, (8, D) of a query and (1, D) of a photo of the gallery."""
    model = embedder(checkpoint)
    model.embed(photos[:1])  # loads what is loaded at the first call
    began = time.process_time()
    vectors = model.embed_views(photos) if is_query else model.embed(photos)[:, None]
    spent = np.array([(time.process_time() - began) / len(photos)])
    return [{"vectors": rows, "vectors_s": spent} for rows in vectors]


def _local(photo: RgbImage, is_query: bool) -> Record:
    began = time.process_time()
    features, words = _describer().describe(photo)
    record: Record = {"words": words.indices, "word_weights": words.values}
    if is_query:
        flipped = _describer().words.encode(mirrored(features))
        record |= {"mirrored_words": flipped.indices, "mirrored_word_weights": flipped.values}
    else:
        features = _as_stored(features)
    record["local_s"] = np.array([time.process_time() - began])
    values = {field.name: np.atleast_1d(np.asarray(getattr(features, field.name))) for field in _FIELDS}
    n_bytes = sum(value.nbytes for value in values.values()) - features.points.nbytes // 2  # stored as float16
    return record | values | {"features_bytes": np.array([n_bytes])}


def _as_stored(features: LocalFeatures) -> LocalFeatures:
    """What the archive keeps of a photo's features; see ``archive/shards.py``."""
    points = features.points[:STORED_FEATURES].astype("<f2").astype(np.float32)
    return dataclasses.replace(features, points=points, descriptors=features.descriptors[:STORED_FEATURES])


def _features(shelf: Shelf, at: int) -> LocalFeatures:
    values: dict[str, Any] = {field.name: np.asarray(shelf.row(field.name, at)) for field in _FIELDS}
    scalars = {field.name: values[field.name].item() for field in _FIELDS if field.type in (int, float)}
    return LocalFeatures(**(values | scalars))


def similarities(queries: Shelf, gallery: Shelf) -> tuple[NDArray[np.float32], float]:
    """(Q, N) cosine of the best of each query's eight views, and CPU seconds a query, ten best included."""
    views, photos = queries.whole("vectors"), gallery.whole("vectors")
    n_views, n = int(queries.lengths("vectors")[0]), len(queries.lengths("vectors"))
    views = views.reshape(n, n_views, -1)
    found = np.empty((n, len(photos)), np.float32)
    began = time.process_time()
    for start in range(0, n, _QUERIES_AT_ONCE):
        some = views[start : start + _QUERIES_AT_ONCE]
        each = (some.reshape(-1, some.shape[2]) @ photos.T).reshape(len(some), n_views, -1)
        found[start : start + len(some)] = np.clip(each.max(axis=1), -1, 1)
        for row in found[start : start + len(some)]:
            nearest(row, DEPTH)
    return found, (time.process_time() - began) / n


class WordIndex:
    """Inverted lists of the first photos of a gallery; rare words count more, as stores do it."""

    def __init__(self, gallery: Shelf, size: int) -> None:
        lengths = gallery.lengths("words")[:size]
        words = gallery.whole("words")[: lengths.sum()]
        order = np.argsort(words, kind="stable")
        self._size = size
        self._photos = np.repeat(np.arange(size), lengths)[order]
        holders = np.bincount(words, minlength=int(words.max()) + 1)
        rarity = np.log((size - holders + 0.5) / (holders + 0.5) + 1)
        self._weights = (gallery.whole("word_weights")[: lengths.sum()] * rarity[words])[order]
        self._ends = np.cumsum(holders)
        self._starts = self._ends - holders

    def shared(self, words: NDArray[np.uint32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N,) weight of what a bag shares with each photo."""
        known = words < len(self._ends)
        words, weights = words[known], weights[known]
        lists = [slice(self._starts[word], self._ends[word]) for word in words]
        if not lists:
            return np.zeros(self._size)
        own = np.repeat(weights, [each.stop - each.start for each in lists])
        photos = np.concatenate([self._photos[each] for each in lists])
        held = np.concatenate([self._weights[each] for each in lists])
        total: NDArray[np.float64] = np.bincount(photos, own * held, self._size).astype(np.float64)
        return total


@dataclass(frozen=True, slots=True)
class Candidates:
    """What vectors and words found for one query, the most promising first.

    Attributes:
        positions: in the gallery.
        promise: sum of reciprocal ranks.
    """

    positions: NDArray[np.int64]
    promise: NDArray[np.float64]


def retrieve(
    queries: Shelf, gallery: Shelf, similarity: NDArray[np.float32], size: int
) -> tuple[list[Candidates], float]:
    """The candidates of every query among the first ``size`` photos, and CPU seconds a query for words and fusion."""
    index = WordIndex(gallery, size)
    found = []
    began = time.process_time()
    for number, row in enumerate(similarity[:, :size]):
        bags = [(queries.row(f"{side}words", number), side) for side in ("", "mirrored_")]
        shared = [index.shared(words, queries.row(f"{side}word_weights", number)) for words, side in bags]
        found.append(_fused(row, np.max(shared, axis=0)))
    return found, (time.process_time() - began) / len(found)


def _fused(similarity: NDArray[np.float32], shared: NDArray[np.float64]) -> Candidates:
    by_words = nearest(shared, DEPTH)
    promise: dict[int, float] = {}
    for ranked in (by_words[shared[by_words] > 0], nearest(similarity, DEPTH)):
        for rank, at in enumerate(ranked.tolist(), start=1):
            promise[at] = promise.get(at, 0.0) + 1 / (_RANK_OFFSET + rank)
    order = sorted(promise, key=lambda at: (-promise[at], -similarity[at], at))
    return Candidates(np.array(order, np.int64), np.array([promise[at] for at in order]))


@dataclass(frozen=True, slots=True)
class Looked:
    """What a close look at pairs gave.

    Attributes:
        probability: by (query, position): with alignment, and by similarity alone.
        pair_s: CPU seconds a pair.
    """

    probability: dict[tuple[int, int], tuple[float, float]]
    pair_s: float

    def whole(self, number: int, found: Candidates) -> NDArray[np.float64]:
        """Probabilities of a query's candidates if every pair is looked at."""
        return np.array([self.probability[number, int(at)][0] for at in found.positions])

    def by_handfuls(self, number: int, found: Candidates) -> tuple[NDArray[np.float64], int]:
        """Probabilities as the product gives them, which stops after a handful without a match; and pairs looked at."""
        both = np.array([self.probability[number, int(at)] for at in found.positions]).reshape(-1, 2)
        until = 0
        while until < len(both) and (until == 0 or both[until - HANDFUL : until, 0].max() >= MATCH):
            until += HANDFUL
        until = min(until, len(both))
        return np.concatenate([both[:until, 0], both[until:, 1]]), until


Task = list[tuple[int, list[tuple[int, float]]]]
"""Queries with the positions and similarities of their candidates."""


def look(
    pool: ProcessPoolExecutor,
    found: Sequence[Sequence[Candidates]],
    similarity: NDArray[np.float32],
    queries: Shelf,
    gallery: Shelf,
) -> Looked:
    """Aligns every query with all its candidates in galleries of any size, each pair once."""
    positions = [
        np.unique(np.concatenate([each.positions for each in of_query])) for of_query in zip(*found, strict=True)
    ]
    asked = [(n, [(int(at), float(similarity[n, at])) for at in where]) for n, where in enumerate(positions)]
    tasks = [asked[i : i + _QUERIES_AT_ONCE] for i in range(0, len(asked), _QUERIES_AT_ONCE)]
    seconds = 0.0
    probability: dict[tuple[int, int], tuple[float, float]] = {}
    looked = pool.map(_look_at, tasks, [queries] * len(tasks), [gallery] * len(tasks))
    for n, (done, spent) in enumerate(looked):
        probability |= done
        seconds += spent
        print(f"looking at pairs: {n + 1} of {len(tasks)}", flush=True)
    return Looked(probability, seconds / len(probability))


def _look_at(task: Task, queries: Shelf, gallery: Shelf) -> tuple[dict[tuple[int, int], tuple[float, float]], float]:
    done = {}
    spent, model = 0.0, PairModel()
    for number, pairs in task:
        query = _features(queries, number)
        flipped = mirrored(query)
        for at, similarity in pairs:
            archive = _features(gallery, at)
            began = time.process_time()
            alignment = align(query, flipped, archive)
            probability = model.probability(similarity, alignment)
            spent += time.process_time() - began
            done[number, at] = probability, model.probability(similarity, None)
    return done, spent
