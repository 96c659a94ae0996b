"""Each query photo's nearest photos: in the collection, and among the other documents of its batch."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from doc_assets.datatypes import N_VIEWS, Hit, PhotoKey, PhotoPayload, View, point_id
from doc_assets.index.base import Exclusion, VectorStore
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.ranking import PhotoMatch


def retrieve_from_archive(
    store: VectorStore, collection: str, query: QueryDocument, top_k: int
) -> Iterator[PhotoMatch]:
    """The ``top_k`` nearest archive photos of every query photo over all eight views.

    The query document itself is excluded in the filter, so that its own photos cannot push others out.
    """
    if not query.photos:
        return
    vectors = np.concatenate([photo.views for photo in query.photos])
    own = Exclusion(document_ids=(query.document_id,))
    hits = store.search(collection, vectors, top_k, own)
    for number in range(len(query.photos)):
        yield from _best_views(number, hits[number * N_VIEWS : (number + 1) * N_VIEWS], top_k)


class Batch:
    """The documents that are searched together, as an archive of their own that nobody keeps."""

    def __init__(self, documents: Sequence[QueryDocument], embedder_id: str, label: str) -> None:
        self._payloads = [_payload(document, photo, label) for document in documents for photo in document.photos]
        self._ids = [point_id(payload.key, embedder_id) for payload in self._payloads]
        upright = [photo.views[0] for document in documents for photo in document.photos]
        self._vectors = np.stack(upright) if upright else np.empty((0, 0), np.float32)

    def retrieve(self, query: QueryDocument, top_k: int) -> Iterator[PhotoMatch]:
        """As ``retrieve_from_archive``, exactly, among the batch's other documents."""
        others = np.array([payload.document_id != query.document_id for payload in self._payloads], bool)
        if not others.any():
            return
        for number, photo in enumerate(query.photos):
            similarities = photo.views @ self._vectors.T  # (8, photos of the batch)
            similarities[:, ~others] = -np.inf
            views = similarities.argmax(axis=0)
            best = similarities[views, np.arange(len(self._payloads))]
            for at in np.argsort(-best, kind="stable")[: min(top_k, int(others.sum()))]:
                yield PhotoMatch(number, self._payloads[at], float(best[at]), View.at(int(views[at])), True)


def _best_views(number: int, by_view: Sequence[Sequence[Hit]], top_k: int) -> list[PhotoMatch]:
    """The best view of every photo found, then the best ``top_k`` photos."""
    best: dict[bytes, PhotoMatch] = {}
    for index, hits in enumerate(by_view):
        for hit in hits:
            known = best.get(hit.point_id.bytes)
            if known is None or hit.similarity > known.similarity:
                best[hit.point_id.bytes] = PhotoMatch(number, hit.payload, hit.similarity, View.at(index))
    ordered = sorted(best.items(), key=lambda item: (-item[1].similarity, item[0]))
    return [match for _, match in ordered[:top_k]]


def merged(matches: Iterable[PhotoMatch], top_k: int) -> list[PhotoMatch]:
    """The best ``top_k`` matches of every query photo, whatever they come from.

    A photo counts once; one that is in the archive and in the batch counts as the archive's.
    """
    best: dict[tuple[int, PhotoKey], PhotoMatch] = {}
    for match in matches:
        pair = match.query_photo, match.payload.key
        known = best.get(pair)
        if known is None or (known.same_batch, -known.similarity) > (match.same_batch, -match.similarity):
            best[pair] = match
    kept: list[PhotoMatch] = []
    counts: Counter[int] = Counter()
    for match in sorted(best.values(), key=lambda m: (-m.similarity, str(m.payload.key), m.query_photo)):
        if counts[match.query_photo] < top_k:
            counts[match.query_photo] += 1
            kept.append(match)
    return kept


def _payload(document: QueryDocument, photo: QueryPhoto, label: str) -> PhotoPayload:
    return PhotoPayload(
        document_id=document.document_id,
        file_name=document.file_name,
        sha256=document.sha256 or "",
        drop=label,
        page_index=photo.crop.page_index,
        photo_index=photo.crop.photo_index,
        box=photo.crop.box,
    )
