"""Why a document was matched with another, or was not: every photo pair of the two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from doc_assets.archive.archive import Archive, Versions, chunk_of
from doc_assets.archive.ledger.results import PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.shards import read_embeddings
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import PhotoKey
from doc_assets.search.findings import is_matched, kind_of
from doc_assets.search.labels import Labeller
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import PhotoMatch, telling
from doc_assets.search.record import archived_find, photo_pair, result_record
from doc_assets.search.retrieval import retrieve_from_archive, seen_best
from doc_assets.search.verify.probability import PairModel
from doc_assets.search.verifying import LoadFeatures, LoadPixels, Verifier

RANKS = 100
"""Neighbours of a query photo among which a candidate's place is told."""

_FEW_INLIERS = 12  # strangers reach 4 to 8 by chance

Reason = Literal[
    "matched",
    "other_shot",
    "shared_thing",
    "form_picture",
    "cannot_tell",
    "not_retrieved",
    "no_alignment",
    "not_alike",
    "replaced",
]


@dataclass(frozen=True, slots=True)
class PairExplanation:
    """What is known of one photo pair.

    Attributes:
        entry: as in a result; None if the archive's photo was replaced meanwhile.
        query_photo, photo: places in their documents, from 0.
        vector_rank, words_rank: place among the query photo's neighbours in the archive, from 1; None beyond a hundred.
        would_be_looked_at: whether a search with the request's ``top_k`` gets to see the pair.
        reason: why it was matched or not; the first of the ways in which it fails.
    """

    entry: PhotoPair | None
    query_photo: int
    photo: int
    vector_rank: int | None
    words_rank: int | None
    would_be_looked_at: bool
    reason: Reason

    @property
    def probability(self) -> float:
        """That both show the same shot; 0 if it is not known."""
        return (self.entry.probability or 0.0) if self.entry is not None else 0.0


def explain_pairs(
    archive: Archive,
    versions: Versions,
    store: VectorStore,
    collection: str,
    load_features: LoadFeatures,
    load_pixels: LoadPixels,
    model: PairModel,
    request: SearchRequest,
    query: QueryDocument,
    candidate: Document,
) -> list[PairExplanation]:
    """Every pair of a query photo and a photo of the candidate, the most telling first.

    Args:
        archive: where the candidate's photos are.
        versions: what they are made with.
        store: what a search would ask.
        collection: in the store.
        load_features: finds the keypoints of archive photos.
        load_pixels: finds archive photos themselves.
        model: judges pairs.
        request: how a search would ask.
        query: the query document.
        candidate: a current document of the archive.
    """
    found = retrieve_from_archive(store, collection, query, RANKS, use_words=request.use_words)
    ranks = _ranks(found.by_vector), _ranks(found.by_words)
    explained = []
    verifier = Verifier(load_features, load_pixels, None, model, [])
    for number, photo in enumerate(query.photos):
        matches = list(_pairs(archive, versions, query, number, candidate))
        seen = {match.payload.key: match for match in verifier.look_at(photo, matches)}
        for match in matches:
            places = tuple(rank.get((number, match.payload.key)) for rank in ranks)
            explained.append(_explained(query, match, seen.get(match.payload.key), places, request))
    return sorted(explained, key=_told)


def _told(pair: PairExplanation) -> tuple[tuple[float, bool, float], int, int]:
    is_alike = pair.entry is not None and pair.entry.likeness is not None
    return telling(pair.probability, is_alike=is_alike), pair.query_photo, pair.photo


def _pairs(
    archive: Archive, versions: Versions, query: QueryDocument, number: int, candidate: Document
) -> Iterator[PhotoMatch]:
    chunk = chunk_of(candidate, archive.chunks(candidate.drop_key))
    for row in read_embeddings(archive.embedding_shard(chunk, versions.embedder_id)):
        if row.payload.document_id == candidate.document_id:
            yield seen_best(number, query.photos[number], row.vector, row.payload)


def _ranks(ranked: Sequence[PhotoMatch]) -> dict[tuple[int, PhotoKey], int]:
    """Place of every pair within its query photo, from 1."""
    places: dict[tuple[int, PhotoKey], int] = {}
    counts: dict[int, int] = {}
    for match in ranked:
        if match.pair not in places:
            counts[match.query_photo] = counts.get(match.query_photo, 0) + 1
            places[match.pair] = counts[match.query_photo]
    return places


def _explained(
    query: QueryDocument,
    match: PhotoMatch,
    seen: PhotoMatch | None,
    places: tuple[int | None, ...],
    request: SearchRequest,
) -> PairExplanation:
    entry = None if seen is None else photo_pair(seen, query)
    kind = None if entry is None else kind_of(entry, request)
    is_near = any(place is not None and place <= request.top_k for place in places)
    matched = entry is not None and is_matched(entry, request)
    reason: Reason = "matched"
    if seen is None:
        reason = "replaced"
    elif not is_near:
        reason = "not_retrieved"
    elif not matched and kind is not None and kind != "same_photograph":
        reason = kind
    elif not matched:
        few = seen.alignment is None or seen.alignment.inliers < _FEW_INLIERS
        reason = "no_alignment" if few else "not_alike"
    return PairExplanation(
        entry=None if entry is None else replace(entry, matched=matched, kind=kind),
        query_photo=match.query_photo,
        photo=match.payload.photo_index,
        vector_rank=places[0],
        words_rank=places[1],
        would_be_looked_at=is_near,
        reason=reason,
    )


def found_by_explaining(
    labeller: Labeller, query: QueryDocument, candidate: Document, pairs: Sequence[PairExplanation]
) -> ResultRecord:
    """What the pairs of two documents come to by the rules of a search, the archive's photo groups beside them."""
    best: dict[int, PhotoPair] = {}
    for explained in pairs:
        if explained.entry is not None and explained.entry.is_shown:
            best.setdefault(explained.query_photo, explained.entry)
    is_exact = query.sha256 is not None and query.sha256 == candidate.sha256
    score = max((pair.similarity for pair in best.values()), default=0.0)
    found = archived_find(candidate, list(best.values()), score, is_exact=is_exact)
    result = result_record(query.file_name, 0, query, (found,) if best or is_exact else (), 0.0)
    return labeller.label([replace(result, error=query.error)])[0]
