"""Looks at candidate pairs closely: which of them show the same photograph, and how one lies on the other.

The candidates of a query photo are looked at in order of promise, a handful at a time, as long as the last handful
held a match, or a pair that is alike for a reason. Those that are left are judged by their similarity alone, and so
are those that could not be compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TypeVar

from threadpoolctl import threadpool_limits

from doc_assets.archive.ledger.results import SearchFault
from doc_assets.datatypes import LocalFeatures, Look, PhotoKey, PhotoPayload, RgbImage, View
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.ranking import PhotoMatch
from doc_assets.search.retrieval import Batch
from doc_assets.search.verify.geometry import Alignment, align
from doc_assets.search.verify.graphics import drawn_look, look_of, may_be_drawn
from doc_assets.search.verify.likeness import measure
from doc_assets.search.verify.probability import WORTH_A_LOOK, PairModel, is_worth_a_look
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.threads import Workers

LoadFeatures = Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, LocalFeatures]]
"""Archive photos -> their local features; photos that are gone are left out."""
LoadPixels = Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, RgbImage]]
"""Archive photos -> they themselves as stored; photos that are gone are left out."""

Loaded = TypeVar("Loaded")

HANDFUL = 8
_TRUSTED = 0.5  # from this probability on the transform knows turn and mirror better than the vectors do


@dataclass(frozen=True, slots=True)
class Verifier:
    """Looks at the candidates of one query document.

    Attributes:
        load_features: finds the keypoints of archive photos.
        load_pixels: finds archive photos themselves.
        batch: the documents searched together, if they are compared.
        model: judges pairs.
        faults: takes the pairs that could not be compared.
    """

    load_features: LoadFeatures
    load_pixels: LoadPixels
    batch: Batch | None
    model: PairModel
    faults: list[SearchFault]

    def verified(self, query: QueryDocument, matches: Sequence[PhotoMatch], threads: Workers) -> list[PhotoMatch]:
        """The candidates with probability and, where looked at, alignment; those whose photo was replaced are gone.

        Args:
            query: the query document.
            matches: its candidates, the most promising first within each query photo.
            threads: look at the query's photos side by side.
        """

        def of_photo(candidates: Sequence[PhotoMatch]) -> list[PhotoMatch]:
            return list(self._of_photo(query.photos[candidates[0].query_photo], candidates))

        by_photo = [list(candidates) for _, candidates in groupby(matches, key=lambda match: match.query_photo)]
        # Threads of the algebra library inside ours would wait for each other.
        with threadpool_limits(1, "blas"):
            return [match for found in threads.map(of_photo, by_photo) for match in found]

    def _of_photo(self, photo: QueryPhoto, candidates: Sequence[PhotoMatch]) -> Iterator[PhotoMatch]:
        goes_on = True
        for start in range(0, len(candidates), HANDFUL):
            handful = candidates[start : start + HANDFUL]
            if not goes_on:
                yield from map(self._by_similarity, handful)
                continue
            looked_at = list(self.look_at(photo, handful))
            goes_on = any(match.likeness is not None or (match.probability or 0.0) >= _TRUSTED for match in looked_at)
            yield from looked_at

    def look_at(self, photo: QueryPhoto, handful: Sequence[PhotoMatch]) -> Iterator[PhotoMatch]:
        """The pairs with what their keypoints say; those whose photo was replaced are left out.

        A pair that cannot be compared is a fault, and is judged by its similarity alone. Of pairs that may show one
        photograph or one scene the photos themselves are compared, if that is possible.
        """
        yield from self._with_likeness(photo, list(self._compared_each(photo, handful)))

    def _by_similarity(self, match: PhotoMatch) -> PhotoMatch:
        return replace(match, probability=self.model.probability(match.similarity, None))

    def _compared_each(self, photo: QueryPhoto, handful: Sequence[PhotoMatch]) -> Iterator[PhotoMatch]:
        known = _loaded(handful, "keypoints", self.load_features, self.batch.features if self.batch else None)
        for match in handful:
            features = known.get(match.payload.key)
            if features is None:
                continue
            found: PhotoMatch | Failure
            if isinstance(features, Failure):
                found = features
            else:
                compare = partial(_compared, photo, match, features, self.model)
                found = attempt(f"photo {photo.crop.photo_index} against {match.payload.place}", compare)
            if isinstance(found, Failure):
                self.faults.append(_fault(photo, match, found))
                found = self._by_similarity(match)
            yield found

    def _with_likeness(self, photo: QueryPhoto, matches: Sequence[PhotoMatch]) -> Iterator[PhotoMatch]:
        """The pairs, those of which it can change the finding judged by a dense look; a look that fails is a fault."""
        telling = [match for match in matches if _may_change(match)]
        if not telling:
            yield from matches
            return
        pixels = _loaded(telling, "pixels", self.load_pixels, self.batch.pixels if self.batch else None)
        own = attempt(f"pixels of photo {photo.crop.photo_index}", partial(_OwnPhoto.of, photo))
        for match in matches:
            other = pixels.get(match.payload.key)
            if other is None:
                yield match
                continue
            looked = _looked(match, own, other, self.model)
            if isinstance(looked, Failure):
                self.faults.append(_fault(photo, match, looked))
                looked = match
            yield looked


def _compared(photo: QueryPhoto, match: PhotoMatch, features: LocalFeatures, model: PairModel) -> PhotoMatch:
    alignment = align(photo.features, photo.mirrored_features, features)
    probability = model.probability(match.similarity, alignment)
    view = _view(alignment) if alignment is not None and probability >= _TRUSTED else match.view
    return replace(match, alignment=alignment, probability=probability, view=view, looked_at=True)


def _may_change(match: PhotoMatch) -> bool:
    """Whether the photos themselves can change what is said of a pair."""
    probability = match.probability or 0.0
    return match.looked_at and (probability >= WORTH_A_LOOK or is_worth_a_look(probability, match.alignment))


class _OwnPhoto:
    """A query photo whose pixels are needed; how it looks is found once, when it is asked."""

    def __init__(self, pixels: RgbImage) -> None:
        self.pixels = pixels
        self._look: Look | None = None

    @classmethod
    def of(cls, photo: QueryPhoto) -> "_OwnPhoto":
        return cls(photo.pixels())

    def look(self) -> Look:
        if self._look is None:
            self._look = look_of(self.pixels)
        return self._look


def _looked(
    match: PhotoMatch, own: _OwnPhoto | Failure, other: RgbImage | Failure, model: PairModel
) -> PhotoMatch | Failure:
    if isinstance(own, Failure):
        return own
    if isinstance(other, Failure):
        return other
    return attempt(f"look at {match.payload.place}", partial(_judged, match, own, other, model))


def _judged(match: PhotoMatch, own: _OwnPhoto, other: RgbImage, model: PairModel) -> PhotoMatch:
    """The pair with what a dense look makes of it, and how both look if neither is clearly a photograph.

    What both show drawn needs no dense look: the code that a form prints is found in every document.
    """
    seems_alike = (match.probability or 0.0) >= WORTH_A_LOOK
    looks = (own.look(), look_of(other)) if seems_alike and own.look().kind != "photograph" else None
    if looks is not None and drawn_look(*looks) is not None:
        return replace(match, looks=looks)
    match = _densely(match, own.pixels, other, model)
    if (match.likeness is None and not seems_alike) or not may_be_drawn(own.look()):
        return match
    looks = looks or (own.look(), look_of(other))
    return replace(match, looks=looks) if may_be_drawn(looks[1]) else match


def _densely(match: PhotoMatch, own: RgbImage, other: RgbImage, model: PairModel) -> PhotoMatch:
    alignment = match.alignment
    if alignment is None or not is_worth_a_look(match.probability or 0.0, alignment):
        return match
    traits = measure(own, other, alignment)
    if traits is None:  # too little is seen of both to tell more than the keypoints do
        return match
    likeness = model.likeness.judge(traits)
    probability = likeness.same_photograph
    view = _view(alignment) if probability >= _TRUSTED else match.view
    return replace(match, likeness=likeness, probability=probability, view=view)


def _loaded(
    handful: Sequence[PhotoMatch],
    what: str,
    load: Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, Loaded]],
    in_batch: Callable[[PhotoKey], Loaded] | None,
) -> dict[PhotoKey, Loaded | Failure]:
    """What is stored of the other photos; one by one if those of the archive cannot be had together."""
    found: dict[PhotoKey, Loaded | Failure] = {}
    archived = []
    for match in handful:
        if match.same_batch and in_batch is not None:
            found[match.payload.key] = in_batch(match.payload.key)
        else:
            archived.append(match.payload)
    together = attempt(f"{what} of archive photos", partial(load, archived))
    if not isinstance(together, Failure):
        return found | dict(together)
    for payload in archived:
        single = attempt(f"{what} of {payload.place}", partial(load, [payload]))
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
