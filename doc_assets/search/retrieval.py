"""Candidates for each query photo: by its vector in eight views and by its visual words.

They come from the archive and from the other documents of the query's batch. Vectors see the whole photo whatever
was done to its tones, words see its parts whatever was cut away. The two lists are fused by reciprocal rank
(Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion", SIGIR 2009).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from doc_assets.archive.vectors.base import Exclusion, VectorStore
from doc_assets.datatypes import (
    N_VIEWS,
    Hit,
    LocalFeatures,
    PhotoKey,
    PhotoPayload,
    RgbImage,
    SparseVector,
    View,
    point_id,
)
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.ranking import PhotoMatch
from doc_assets.sources.merchants import spellings

_RANK_OFFSET = 60  # of reciprocal rank fusion, as published


@dataclass(slots=True)
class Retrieved:
    """What two signals found for one document, best first within each query photo; similarity is by vectors."""

    by_vector: list[PhotoMatch] = field(default_factory=list)
    by_words: list[PhotoMatch] = field(default_factory=list)


def retrieve_from_archive(
    store: VectorStore,
    collection: str,
    query: QueryDocument,
    top_k: int,
    *,
    use_words: bool,
    exclude_own_merchant: bool = False,
) -> Retrieved:
    """The ``top_k`` nearest archive photos of every query photo by each signal.

    The query document itself, and its merchant's if asked for, are excluded in the filter, so that their photos cannot
    push others out.
    """
    found = Retrieved()
    if not query.photos:
        return found
    vectors = np.concatenate([photo.views for photo in query.photos])
    merchants = spellings(query.merchant_id) if exclude_own_merchant and query.merchant_id is not None else ()
    own = Exclusion(document_ids=(query.document_id,), merchant_ids=merchants)
    hits = _others(store.search(collection, vectors, top_k, own), merchants)
    for number in range(len(query.photos)):
        views = _best_of(hits[number * N_VIEWS : (number + 1) * N_VIEWS], top_k)
        found.by_vector += [PhotoMatch(number, hit.payload, hit.similarity, View.at(view)) for hit, view in views]
    if use_words:
        bags = [bag for photo in query.photos for bag in photo.words]
        sharing = _others(store.search_words(collection, bags, top_k, own), merchants)
        merged = [_best_of(sharing[2 * number : 2 * number + 2], top_k) for number in range(len(query.photos))]
        known = store.vectors(collection, list({hit.point_id for hits in merged for hit, _ in hits}))
        for number, word_hits in enumerate(merged):
            for hit, _ in word_hits:
                found.by_words.append(seen_best(number, query.photos[number], known[hit.point_id], hit.payload))
    return found


def _others(found: Sequence[Sequence[Hit]], merchants: Sequence[str]) -> list[list[Hit]]:
    """Hits without those of a merchant whose number stands in points of old in a way that no filter names."""
    return [[hit for hit in hits if hit.payload.merchant_id not in merchants] for hits in found]


class Batch:
    """The documents that are searched together, as an archive of their own that nobody keeps."""

    def __init__(self, documents: Sequence[QueryDocument], embedder_id: str, label: str) -> None:
        photos = [(document, photo) for document in documents for photo in document.photos]
        self._payloads = [_payload(document, photo, label) for document, photo in photos]
        self._ids = [point_id(payload.key, embedder_id) for payload in self._payloads]
        self._photos = {p.key: photo for p, (_, photo) in zip(self._payloads, photos, strict=True)}
        upright = [photo.views[0] for _, photo in photos]
        self._vectors = np.stack(upright) if upright else np.empty((0, 0), np.float32)
        self._words = _SharedWords([photo.words[0] for _, photo in photos])

    def retrieve(
        self, query: QueryDocument, top_k: int, *, use_words: bool, exclude_own_merchant: bool = False
    ) -> Retrieved:
        """As ``retrieve_from_archive``, exactly, among the batch's other documents."""
        found = Retrieved()
        own = query.merchant_id if exclude_own_merchant else None
        others = np.array(
            [p.document_id != query.document_id and (own is None or p.merchant_id != own) for p in self._payloads], bool
        )
        if not others.any():
            return found
        most = min(top_k, int(others.sum()))
        for number, photo in enumerate(query.photos):
            best = (photo.views @ self._vectors.T).max(axis=0)
            best[~others] = -np.inf
            found.by_vector += self._matches(number, photo, np.argsort(-best, kind="stable")[:most])
            if use_words:
                shared = np.max([self._words.weights(bag) for bag in photo.words], axis=0)
                shared[~others] = 0
                order = np.argsort(-shared, kind="stable")[:most]
                found.by_words += self._matches(number, photo, order[shared[order] > 0])
        return found

    def features(self, key: PhotoKey) -> LocalFeatures:
        """The keypoints of one of its photos."""
        return self._photos[key].features

    def pixels(self, key: PhotoKey) -> RgbImage:
        """One of its photos."""
        return self._photos[key].pixels()

    def _matches(self, number: int, photo: QueryPhoto, positions: NDArray[np.intp]) -> Iterator[PhotoMatch]:
        for at in positions:
            match = seen_best(number, photo, self._vectors[at], self._payloads[at])
            yield replace(match, same_batch=True)


class _SharedWords:
    """Weights of shared words with every bag of a small collection, rare words counting more, as stores do it."""

    def __init__(self, bags: Sequence[SparseVector]) -> None:
        self._n = len(bags)
        holders: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for at, bag in enumerate(bags):
            for word, value in zip(bag.indices.tolist(), bag.values.tolist(), strict=True):
                holders[word].append((at, value))
        self._holders = holders

    def weights(self, bag: SparseVector) -> NDArray[np.float64]:
        """(bags,) weight of what ``bag`` shares with each of them."""
        total = np.zeros(self._n)
        for word, value in zip(bag.indices.tolist(), bag.values.tolist(), strict=True):
            holders = self._holders.get(word, [])
            rarity = np.log((self._n - len(holders) + 0.5) / (len(holders) + 0.5) + 1)
            for at, other in holders:
                total[at] += value * other * rarity
        return total


def fused(parts: Iterable[Retrieved]) -> list[PhotoMatch]:
    """The candidates of one query document from all its sources, most promising first within each query photo.

    A pair counts once; a photo that is in the archive and in the batch counts as the archive's.
    """
    by_vector: list[PhotoMatch] = []
    promise: dict[tuple[int, PhotoKey], float] = defaultdict(float)
    best: dict[tuple[int, PhotoKey], PhotoMatch] = {}
    for part in parts:
        by_vector += part.by_vector
        _add_ranks(promise, part.by_words)
        for match in (*part.by_vector, *part.by_words):
            known = best.get(match.pair)
            if known is None or (known.same_batch and not match.same_batch):
                best[match.pair] = match
    by_vector.sort(key=lambda match: (-match.similarity, match.same_batch, str(match.payload.key)))
    _add_ranks(promise, by_vector)
    matches = [replace(match, promise=promise[pair]) for pair, match in best.items()]
    return sorted(matches, key=lambda m: (m.query_photo, -m.promise, -m.similarity, str(m.payload.key)))


def _add_ranks(promise: dict[tuple[int, PhotoKey], float], ranked: Iterable[PhotoMatch]) -> None:
    """Adds the reciprocal rank of every pair within its query photo; a pair that comes twice counts once."""
    seen: dict[int, set[PhotoKey]] = defaultdict(set)
    for match in ranked:
        before = seen[match.query_photo]
        if match.payload.key not in before:
            before.add(match.payload.key)
            promise[match.pair] += 1 / (_RANK_OFFSET + len(before))


def _best_of(lists: Sequence[Sequence[Hit]], top_k: int) -> list[tuple[Hit, int]]:
    """The most similar hit of every photo over several searches, and which search it is from; the best ``top_k``."""
    best: dict[bytes, tuple[Hit, int]] = {}
    for number, hits in enumerate(lists):
        for hit in hits:
            known = best.get(hit.point_id.bytes)
            if known is None or hit.similarity > known[0].similarity:
                best[hit.point_id.bytes] = hit, number
    return sorted(best.values(), key=lambda each: (-each[0].similarity, each[0].point_id.bytes))[:top_k]


def seen_best(number: int, photo: QueryPhoto, vector: NDArray[np.float32], payload: PhotoPayload) -> PhotoMatch:
    """The pair with the similarity of its best view."""
    similarities = photo.views @ vector
    view = int(similarities.argmax())
    return PhotoMatch(number, payload, float(np.clip(similarities[view], -1, 1)), View.at(view))


def _payload(document: QueryDocument, photo: QueryPhoto, label: str) -> PhotoPayload:
    return PhotoPayload(
        document_id=document.document_id,
        file_name=document.file_name,
        sha256=document.sha256 or "",
        drop=label,
        page_index=photo.crop.page_index,
        photo_index=photo.crop.photo_index,
        box=photo.crop.box,
        merchant_id=document.merchant_id,
        date=document.date,
    )
