"""From photo matches to ranked documents; pure arithmetic on small values.

Let ``best(q, d)`` be the highest similarity between query photo q and any photo of document d that was
retrieved for q, in any of the eight views; 0 if none was. Then a document's score is

    max    the best photo pair:       max over q of best(q, d)
    sum    all photos together:       sum over q of best(q, d)
    mean   sum / number of query photos, those without a match included

The order of documents answers "which earlier document was re-used": byte-identical ones first; then documents
with a matched photo, those of the archive before those of the batch that is searched together, because the
archive was there earlier; then the others in the same order. Within each group the score decides.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from doc_assets.datatypes import PhotoPayload, View

Aggregation = Literal["max", "sum", "mean"]


@dataclass(frozen=True, slots=True)
class PhotoMatch:
    """A retrieved photo pair.

    Attributes:
        query_photo: position of the photo in its query document, from 0.
        payload: the archive photo.
        similarity: cosine in [-1, 1].
        view: how the query photo must be mirrored and turned to look like the archive photo.
        same_batch: whether the photo is another query document's and not the archive's.
    """

    query_photo: int
    payload: PhotoPayload
    similarity: float
    view: View
    same_batch: bool = False


@dataclass(frozen=True, slots=True)
class DocumentMatch:
    """An archive document with everything that speaks for it.

    Attributes:
        document_id, file_name: the archive document.
        score: by the aggregation asked for.
        exact_duplicate: whether its bytes equal the query document's.
        same_batch: whether it is another query document and not in the archive.
        matches: each query photo's best match in it, best first.
    """

    document_id: str
    file_name: str
    score: float
    exact_duplicate: bool
    same_batch: bool
    matches: tuple[PhotoMatch, ...]

    def n_matched_photos(self, min_similarity: float) -> int:
        """How many query photos have a match of at least ``min_similarity`` in it."""
        return sum(match.similarity >= min_similarity for match in self.matches)


@dataclass(frozen=True, slots=True)
class Twin:
    """A document of the archive or the batch whose bytes equal the query document's."""

    document_id: str
    file_name: str
    same_batch: bool = False


def rank_documents(
    matches: Iterable[PhotoMatch],
    *,
    n_query_photos: int,
    aggregation: Aggregation,
    top_doc: int,
    match_similarity: float,
    twins: Sequence[Twin] = (),
) -> list[DocumentMatch]:
    """The best ``top_doc`` documents in the order that the module describes, ties by document id.

    Args:
        matches: retrieved photo pairs of one query document; a pair may occur in several views.
        n_query_photos: photos of the query document, those without a match included.
        aggregation: see the module.
        top_doc: most documents returned; twins are returned even beyond it.
        match_similarity: a pair at least this similar makes its document a matched one.
        twins: documents with the query document's bytes. They score as a perfect copy, because they are one.
    """
    by_document: dict[str, dict[int, PhotoMatch]] = {}
    for match in matches:
        best = by_document.setdefault(match.payload.document_id, {})
        known = best.get(match.query_photo)
        if known is None or _order(match) < _order(known):
            best[match.query_photo] = match
    exact = {twin.document_id: twin for twin in twins}
    found = [_document(list(best.values()), n_query_photos, aggregation, exact) for best in by_document.values()]
    found += [
        DocumentMatch(
            twin.document_id, twin.file_name, _perfect(n_query_photos, aggregation), True, twin.same_batch, ()
        )
        for twin in twins
        if twin.document_id not in by_document
    ]
    found.sort(
        key=lambda document: (
            not document.exact_duplicate,
            document.n_matched_photos(match_similarity) == 0,
            document.same_batch,
            -document.score,
            document.document_id,
        )
    )
    return found[: max(top_doc, len(exact))]


def _document(
    matches: Sequence[PhotoMatch], n_query_photos: int, aggregation: Aggregation, exact: Mapping[str, Twin]
) -> DocumentMatch:
    """One document from each query photo's best match in it."""
    payload = matches[0].payload
    is_exact = payload.document_id in exact
    return DocumentMatch(
        document_id=payload.document_id,
        file_name=payload.file_name,
        score=_perfect(n_query_photos, aggregation) if is_exact else _score(matches, n_query_photos, aggregation),
        exact_duplicate=is_exact,
        same_batch=all(match.same_batch for match in matches),
        matches=tuple(sorted(matches, key=_order)),
    )


def _order(match: PhotoMatch) -> tuple[float, int, int]:
    """Best first; of equals the first photo of the document, so that results never flicker."""
    return -match.similarity, match.payload.photo_index, match.query_photo


def _score(matches: Iterable[PhotoMatch], n_query_photos: int, aggregation: Aggregation) -> float:
    similarities = [match.similarity for match in matches]
    if aggregation == "max":
        return max(similarities)
    total = math.fsum(similarities)  # exact, so that the order of matches cannot flip a tie
    return total if aggregation == "sum" else total / n_query_photos


def _perfect(n_query_photos: int, aggregation: Aggregation) -> float:
    return float(max(1, n_query_photos)) if aggregation == "sum" else 1.0
