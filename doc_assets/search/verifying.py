"""Looks at candidate pairs closely: which of them show the same shot, and how one lies on the other.

The candidates of a query photo are looked at in order of promise, a handful at a time, as long as the last handful
held a match. Those that are left are judged by their similarity alone, and so are those that could not be compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from threadpoolctl import threadpool_limits

from doc_assets.datatypes import LocalFeatures, PhotoKey, PhotoPayload, View
from doc_assets.isolation import Failure, attempt
from doc_assets.parallel import Workers
from doc_assets.search.faults import SearchFault
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.ranking import PhotoMatch
from doc_assets.search.retrieval import Batch
from doc_assets.verification.geometry import Alignment, align
from doc_assets.verification.probability import PairModel

LoadFeatures = Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, LocalFeatures]]
"""Archive photos -> their local features; photos that are gone are left out."""

HANDFUL = 8
_TRUSTED = 0.5  # from this probability on the transform knows turn and mirror better than the vectors do


def verified(
    query: QueryDocument,
    matches: Sequence[PhotoMatch],
    load_features: LoadFeatures,
    batch: Batch | None,
    threads: Workers,
    model: PairModel,
    faults: list[SearchFault],
) -> list[PhotoMatch]:
    """The candidates with probability and, where looked at, alignment; those whose photo was replaced are gone.

    Args:
        query: the query document.
        matches: its candidates, the most promising first within each query photo.
        load_features: finds the keypoints of archive photos.
        batch: the documents searched together, if they are compared.
        threads: look at the query's photos side by side.
        model: judges pairs.
        faults: takes the pairs that could not be compared.
    """

    def of_photo(candidates: Sequence[PhotoMatch]) -> list[PhotoMatch]:
        photo = query.photos[candidates[0].query_photo]
        return list(_of_photo(photo, candidates, load_features, batch, model, faults))

    by_photo = [list(candidates) for _, candidates in groupby(matches, key=lambda match: match.query_photo)]
    # Threads of the algebra library inside ours would wait for each other.
    with threadpool_limits(1, "blas"):
        return [match for found in threads.map(of_photo, by_photo) for match in found]


def _of_photo(
    photo: QueryPhoto,
    candidates: Sequence[PhotoMatch],
    load_features: LoadFeatures,
    batch: Batch | None,
    model: PairModel,
    faults: list[SearchFault],
) -> Iterator[PhotoMatch]:
    goes_on = True
    for start in range(0, len(candidates), HANDFUL):
        handful = candidates[start : start + HANDFUL]
        if not goes_on:
            yield from (replace(match, probability=model.probability(match.similarity, None)) for match in handful)
            continue
        looked_at = list(look_at(photo, handful, load_features, batch, model, faults))
        goes_on = any((match.probability or 0.0) >= _TRUSTED for match in looked_at)
        yield from looked_at


def look_at(
    photo: QueryPhoto,
    handful: Sequence[PhotoMatch],
    load_features: LoadFeatures,
    batch: Batch | None,
    model: PairModel,
    faults: list[SearchFault],
) -> Iterator[PhotoMatch]:
    """The pairs with what their keypoints say; those whose photo was replaced are left out.

    A pair that cannot be compared is a fault, and is judged by its similarity alone.
    """
    known = _features(handful, load_features, batch)
    for match in handful:
        features = known.get(match.payload.key)
        if features is None:
            continue

        def compared(match: PhotoMatch = match, features: LocalFeatures | Failure = features) -> PhotoMatch | Failure:
            return features if isinstance(features, Failure) else _compared(photo, match, features, model)

        found = attempt(f"photo {photo.crop.photo_index} against {match.payload.key}", compared)
        if isinstance(found, Failure):
            faults.append(_fault(photo, match, found))
            found = replace(match, probability=model.probability(match.similarity, None))
        yield found


def _compared(photo: QueryPhoto, match: PhotoMatch, features: LocalFeatures, model: PairModel) -> PhotoMatch:
    alignment = align(photo.features, photo.mirrored_features, features)
    probability = model.probability(match.similarity, alignment)
    view = _view(alignment) if alignment is not None and probability >= _TRUSTED else match.view
    return replace(match, alignment=alignment, probability=probability, view=view, looked_at=True)


def _features(
    handful: Sequence[PhotoMatch], load_features: LoadFeatures, batch: Batch | None
) -> dict[PhotoKey, LocalFeatures | Failure]:
    """The other photos' keypoints; one by one if those of the archive cannot be had together."""
    found: dict[PhotoKey, LocalFeatures | Failure] = {}
    archived = []
    for match in handful:
        if match.same_batch and batch is not None:
            found[match.payload.key] = batch.features(match.payload.key)
        else:
            archived.append(match.payload)
    together = attempt("keypoints of archive photos", partial(load_features, archived))
    if not isinstance(together, Failure):
        return found | dict(together)
    for payload in archived:
        single = attempt(f"keypoints of {payload.key}", partial(load_features, [payload]))
        found |= {payload.key: single} if isinstance(single, Failure) else single
    return found


def _fault(photo: QueryPhoto, match: PhotoMatch, failure: Failure) -> SearchFault:
    return SearchFault(
        "pair",
        failure.reason,
        query_page=photo.crop.page_index + 1,
        query_photo=photo.crop.photo_index,
        document=match.payload.file_name,
        photo=match.payload.photo_index,
    )


def _view(alignment: Alignment) -> View:
    return View(alignment.quarter_turns, alignment.mirrored)
