"""From photo matches to ranked documents; pure arithmetic on small values.

Of the photos of document d that were retrieved for query photo q, the best one is the most telling, if pairs were
verified, and the most similar. Let ``best(q, d)`` be its similarity in any of the eight views; 0 if none was
retrieved. Then a document's score is

    max    the best photo pair:       max over q of best(q, d)
    sum    all photos together:       sum over q of best(q, d)
    mean   sum / number of query photos, those without a match included

The order of documents answers "which earlier document was re-used": byte-identical ones first; then documents
with a matched photo, those of the archive before those of the batch that is searched together, because the
archive was there earlier; then those with a photo that is alike for a reason, then the others, in the same order.
Within each group the score decides.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from doc_assets.archive.ledger.results import Colours
from doc_assets.archive.ledger.search_settings import Aggregation, Thresholds
from doc_assets.datatypes import Likeness, Look, PhotoKey, PhotoPayload, View
from doc_assets.search.verify.geometry import Alignment
from doc_assets.search.verify.probability import CANNOT_TELL


@dataclass(frozen=True, slots=True)
class PhotoMatch:
    """A retrieved photo pair.

    Attributes:
        query_photo: position of the photo in its query document, from 0.
        payload: the archive photo.
        similarity: cosine in [-1, 1].
        view: how the query photo must be mirrored and turned to look like the archive photo.
        same_batch: whether the photo is another query document's and not the archive's.
        promise: how high the signals ranked it together; orders candidates before they are verified.
        looked_at: whether the keypoints of the two were compared.
        alignment: how the query photo lies on the archive photo; None if nothing plausible was found.
        likeness: what a dense look at both made of it; None if none was needed.
        looks: how the query photo and the archive photo look by themselves, if both may be drawn.
        colours: whether one of the two is grey and the other not; None if not, or if they were not looked at.
        probability: that both show the same photograph, in [0, 1], by similarity alone if it was not looked at; None
            if the search does not verify.
        uncalibrated: the same before it was recalibrated by verdicts; None if it was not.
    """

    query_photo: int
    payload: PhotoPayload
    similarity: float
    view: View
    same_batch: bool = False
    promise: float = 0.0
    looked_at: bool = False
    alignment: Alignment | None = None
    likeness: Likeness | None = None
    looks: tuple[Look, Look] | None = None
    colours: Colours | None = None
    probability: float | None = None
    uncalibrated: float | None = None

    @property
    def pair(self) -> tuple[int, PhotoKey]:
        """Which two photos."""
        return self.query_photo, self.payload.key


@dataclass(frozen=True, slots=True)
class DocumentMatch:
    """An archive document with everything that speaks for it.

    Attributes:
        document_id, file_name: the archive document.
        merchant_id: whose it is; None if unknown.
        drop: that it came with; of a document of the same batch, the search.
        score: by the aggregation asked for.
        exact_duplicate: whether its bytes equal the query document's.
        same_batch: whether it is another query document and not in the archive.
        matches: each query photo's best match in it, best first.
    """

    document_id: str
    file_name: str
    merchant_id: str | None
    drop: str
    score: float
    exact_duplicate: bool
    same_batch: bool
    matches: tuple[PhotoMatch, ...]

    def n_matched_photos(self, thresholds: Thresholds) -> int:
        """How many query photos have a match in it."""
        return sum(thresholds.is_match(match.probability, match.similarity) for match in self.matches)


@dataclass(frozen=True, slots=True)
class Twin:
    """A document of the archive or the batch whose bytes equal the query document's."""

    document_id: str
    file_name: str
    merchant_id: str | None
    drop: str
    same_batch: bool = False

    def as_match(self, score: float) -> DocumentMatch:
        """As a found document, though no photo of it was retrieved."""
        return DocumentMatch(
            self.document_id, self.file_name, self.merchant_id, self.drop, score, True, self.same_batch, ()
        )


def telling(probability: float | None, *, is_alike: bool) -> tuple[float, bool, float]:
    """Orders pairs by how much they tell, the most telling first: by the probability that both show one photograph.

    That a dense look found why they are alike tells more than a probability near 0.
    """
    found = probability or 0.0
    return -found if found >= CANNOT_TELL else 0.0, not is_alike, -found


def rank_documents(
    matches: Iterable[PhotoMatch],
    *,
    n_query_photos: int,
    aggregation: Aggregation,
    top_doc: int,
    thresholds: Thresholds,
    twins: Sequence[Twin] = (),
) -> list[DocumentMatch]:
    """The best ``top_doc`` documents in the order that the module describes, ties by document id.

    Args:
        matches: retrieved photo pairs of one query document; a pair may occur in several views.
        n_query_photos: photos of the query document, those without a match included.
        aggregation: see the module.
        top_doc: most documents returned; twins are returned even beyond it.
        thresholds: say which pairs make their document a matched one.
        twins: documents with the query document's bytes. They score as a perfect copy, because they are one.
    """
    by_document: dict[str, dict[int, PhotoMatch]] = defaultdict(dict)
    for match in matches:
        best = by_document[match.payload.document_id]
        known = best.get(match.query_photo)
        if known is None or _order(match) < _order(known):
            best[match.query_photo] = match
    exact = {twin.document_id: twin for twin in twins}
    found = [_document(list(best.values()), n_query_photos, aggregation, exact) for best in by_document.values()]
    perfect = _perfect(n_query_photos, aggregation)
    found += [twin.as_match(perfect) for twin in twins if twin.document_id not in by_document]
    found.sort(
        key=lambda document: (
            not document.exact_duplicate,
            document.n_matched_photos(thresholds) == 0,
            all(match.likeness is None for match in document.matches),
            document.same_batch,
            -document.score,
            document.document_id,
        )
    )
    return found[: max(top_doc, len(exact))]


def best_of_each_photo(matches: Iterable[PhotoMatch], top_k: int) -> list[PhotoMatch]:
    """The ``top_k`` best matches of every query photo: the most telling if verified, else the most promising."""

    def order(match: PhotoMatch) -> tuple[tuple[float, bool, float], float, float]:
        return telling(match.probability, is_alike=match.likeness is not None), -match.promise, -match.similarity

    kept: list[PhotoMatch] = []
    counts: Counter[int] = Counter()
    for match in sorted(matches, key=order):
        if counts[match.query_photo] < top_k:
            counts[match.query_photo] += 1
            kept.append(match)
    return kept


def _document(
    matches: Sequence[PhotoMatch], n_query_photos: int, aggregation: Aggregation, exact: Mapping[str, Twin]
) -> DocumentMatch:
    """One document from each query photo's best match in it."""
    payload = matches[0].payload
    is_exact = payload.document_id in exact
    return DocumentMatch(
        document_id=payload.document_id,
        file_name=payload.file_name,
        merchant_id=payload.merchant_id,
        drop=payload.drop,
        score=_perfect(n_query_photos, aggregation) if is_exact else _score(matches, n_query_photos, aggregation),
        exact_duplicate=is_exact,
        same_batch=all(match.same_batch for match in matches),
        matches=tuple(sorted(matches, key=_order)),
    )


def _order(match: PhotoMatch) -> tuple[tuple[float, bool, float], float, int, int]:
    """Best first; of equals the first photo of the document, so that results never flicker."""
    told = telling(match.probability, is_alike=match.likeness is not None)
    return told, -match.similarity, match.payload.photo_index, match.query_photo


def _score(matches: Iterable[PhotoMatch], n_query_photos: int, aggregation: Aggregation) -> float:
    similarities = [match.similarity for match in matches]
    if aggregation == "max":
        return max(similarities)
    total = math.fsum(similarities)  # exact, so that the order of matches cannot flip a tie
    return total if aggregation == "sum" else total / n_query_photos


def _perfect(n_query_photos: int, aggregation: Aggregation) -> float:
    return float(max(1, n_query_photos)) if aggregation == "sum" else 1.0
