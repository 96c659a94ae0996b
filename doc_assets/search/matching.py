"""One query document -> ranked documents: retrieve, fuse, look closely, aggregate.

A close look says which candidate pairs show the same photograph, and how one lies on the other. The candidates of a
query photo are looked at in order of promise, a handful at a time, as long as the last handful held a match, or a pair
that is alike for a reason. Those that are left are judged by their similarity alone, and so are those that could not be
compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import groupby
from typing import Self, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.results import Colours, SearchFault
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.photo_lookup import FeatureLookup, PixelLookup
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import LocalFeatures, Look, PhotoKey, PhotoPayload, RgbImage, View
from doc_assets.search.kinds import drawn_look, may_be_drawn
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.ranking import DocumentMatch, PhotoMatch, Twin, best_of_each_photo, rank_documents
from doc_assets.search.retrieval import Batch, Retrieved, fused, retrieve_from_archive
from doc_assets.search.verify.geometry import Alignment, align
from doc_assets.search.verify.probability import WORTH_A_LOOK, PairModel, is_worth_a_look
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.threads import Workers

LoadFeatures = Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, LocalFeatures]]
"""Archive photos -> their local features; photos that are gone are left out."""
LoadPixels = Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, RgbImage]]
"""Archive photos -> they themselves as stored; photos that are gone are left out."""

Loaded = TypeVar("Loaded")

HANDFUL = 8
_GREY, _COLOURED = 3.0, 10.0
"""Mean saturations, 8-bit: below the first a photo is grey (JPEG leaves under 1), above the second it is not."""
_EVERY = 4
_TRUSTED = 0.5  # from this probability on the transform knows turn and mirror better than the vectors do


@dataclass(frozen=True, slots=True)
class Verifier:
    """Looks at candidate pairs.

    Attributes:
        load_features: finds the keypoints of archive photos.
        load_pixels: finds archive photos themselves.
        model: judges pairs.
    """

    load_features: LoadFeatures
    load_pixels: LoadPixels
    model: PairModel

    @classmethod
    def of(cls, archive: Archive, features_id: str, model: PairModel) -> Self:
        """One that looks at the photos of an archive as stored, by keypoints of ``features_id``."""
        return cls(FeatureLookup(archive, features_id), PixelLookup(archive), model)

    def verified(
        self,
        query: QueryDocument,
        matches: Sequence[PhotoMatch],
        threads: Workers,
        faults: list[SearchFault],
        batch: Batch | None = None,
    ) -> list[PhotoMatch]:
        """The candidates with probability and, where looked at, alignment; those whose photo was replaced are gone.

        The most promising ones of each query photo come first. ``faults`` takes the pairs that could not be compared,
        ``batch`` holds the documents that are searched together, if they are compared.
        """

        def of_photo(candidates: Sequence[PhotoMatch]) -> list[PhotoMatch]:
            photo = query.photos[candidates[0].query_photo]
            found: list[PhotoMatch] = []
            goes_on = True
            for start in range(0, len(candidates), HANDFUL):
                handful = candidates[start : start + HANDFUL]
                if not goes_on:
                    found += (self._final(self._by_similarity(each)) for each in handful)
                    continue
                looked_at = self.look_at(photo, handful, faults, batch)
                goes_on = any(each.likeness is not None or (each.probability or 0.0) >= _TRUSTED for each in looked_at)
                found += looked_at
            return found

        by_photo = [list(candidates) for _, candidates in groupby(matches, key=lambda match: match.query_photo)]
        # Threads of the algebra library inside ours would wait for each other.
        with threadpool_limits(1, "blas"):
            return [match for found in threads.map(of_photo, by_photo) for match in found]

    def look_at(
        self, photo: QueryPhoto, handful: Sequence[PhotoMatch], faults: list[SearchFault], batch: Batch | None = None
    ) -> list[PhotoMatch]:
        """The pairs with what their keypoints say; those whose photo was replaced are left out.

        A pair that cannot be compared is a fault, and is judged by its similarity alone. Of pairs that may show one
        photograph or one scene the photos themselves are compared, if that is possible.
        """
        compared = list(self._compared_each(photo, handful, faults, batch))
        return [self._final(each) for each in self._with_likeness(photo, compared, faults, batch)]

    def _by_similarity(self, match: PhotoMatch) -> PhotoMatch:
        return replace(match, probability=self.model.probability(match.similarity, None))

    def _final(self, match: PhotoMatch) -> PhotoMatch:
        """The pair with what its probability is worth by verdicts; what decides on looks is never recalibrated."""
        raw = match.probability
        if raw is None or self.model.calibration is None:
            return match
        return replace(match, probability=self.model.final(raw), uncalibrated=raw)

    def _compared_each(
        self, photo: QueryPhoto, handful: Sequence[PhotoMatch], faults: list[SearchFault], batch: Batch | None
    ) -> Iterator[PhotoMatch]:
        known = _loaded(handful, "keypoints", self.load_features, batch.features if batch else None)
        for match in handful:
            found: PhotoMatch | LocalFeatures | Failure | None = known.get(match.payload.key)
            if found is None:
                continue
            if isinstance(found, LocalFeatures):
                compare = partial(_compared, photo, match, found, self.model)
                found = attempt(f"photo {photo.crop.photo_index} against {match.payload.place}", compare)
            if isinstance(found, Failure):
                faults.append(_fault(photo, match, found))
                found = self._by_similarity(match)
            yield found

    def _with_likeness(
        self, photo: QueryPhoto, matches: Sequence[PhotoMatch], faults: list[SearchFault], batch: Batch | None
    ) -> Iterator[PhotoMatch]:
        """The pairs, those of which it can change the finding judged by a dense look; a look that fails is a fault."""
        telling = [match for match in matches if _may_change(match)]
        if not telling:
            yield from matches
            return
        pixels = _loaded(telling, "pixels", self.load_pixels, batch.pixels if batch else None)
        own = attempt(f"pixels of photo {photo.crop.photo_index}", lambda: _Pixels(photo.pixels()))
        for match in matches:
            other = pixels.get(match.payload.key)
            if other is None:
                yield match
                continue
            looked = _looked(match, own, other, self.model)
            if isinstance(looked, Failure):
                faults.append(_fault(photo, match, looked))
            yield match if isinstance(looked, Failure) else looked


def _compared(photo: QueryPhoto, match: PhotoMatch, features: LocalFeatures, model: PairModel) -> PhotoMatch:
    alignment = align(photo.features, photo.mirrored_features, features)
    probability = model.probability(match.similarity, alignment)
    view = _view(alignment) if alignment is not None and probability >= _TRUSTED else match.view
    return replace(match, alignment=alignment, probability=probability, view=view, looked_at=True)


def _may_change(match: PhotoMatch) -> bool:
    """Whether the photos themselves can change what is said of a pair."""
    probability = match.probability or 0.0
    return match.looked_at and (probability >= WORTH_A_LOOK or is_worth_a_look(probability, match.alignment))


class _Pixels:
    """A photo that is looked at itself; how it looks is found once, when it is asked."""

    def __init__(self, photo: RgbImage) -> None:
        self.photo = photo

    @cached_property
    def look(self) -> Look:
        from doc_assets.search.verify.graphics import look_of  # noqa: PLC0415 - measures with cv2, see the bans

        return look_of(self.photo)

    @cached_property
    def saturation(self) -> float:
        """How coloured it is: mean distance of the strongest channel from the weakest, in 8-bit levels."""
        few = self.photo[::_EVERY, ::_EVERY].astype(np.int16)
        return float(np.mean(few.max(axis=2) - few.min(axis=2))) if few.size else 0.0


def _colours(own: float, other: float) -> Colours | None:
    """Whether one of two photos is grey and the other not, by their saturations."""
    if own < _GREY and other > _COLOURED:
        return "lost"
    return "gained" if other < _GREY and own > _COLOURED else None


def _looked(
    match: PhotoMatch, own: _Pixels | Failure, other: RgbImage | Failure, model: PairModel
) -> PhotoMatch | Failure:
    if isinstance(own, Failure):
        return own
    if isinstance(other, Failure):
        return other
    return attempt(f"look at {match.payload.place}", partial(_judged, match, own, _Pixels(other), model))


def _judged(match: PhotoMatch, own: _Pixels, other: _Pixels, model: PairModel) -> PhotoMatch:
    """The pair with what a dense look makes of it, and how both look if neither is clearly a photograph.

    What both show drawn needs no dense look: the code that a form prints is found in every document.
    """
    match = replace(match, colours=_colours(own.saturation, other.saturation))
    seems_alike = (match.probability or 0.0) >= WORTH_A_LOOK
    if seems_alike and own.look.kind != "photograph" and drawn_look(own.look, other.look) is not None:
        return replace(match, looks=(own.look, other.look))
    match = _densely(match, own.photo, other.photo, model)
    is_alike = seems_alike or match.likeness is not None
    if is_alike and may_be_drawn(own.look) and may_be_drawn(other.look):
        return replace(match, looks=(own.look, other.look))
    return match


def _densely(match: PhotoMatch, own: RgbImage, other: RgbImage, model: PairModel) -> PhotoMatch:
    alignment = match.alignment
    if alignment is None or not is_worth_a_look(match.probability or 0.0, alignment):
        return match
    from doc_assets.search.verify.likeness import measure  # noqa: PLC0415 - measures with cv2, see the bans

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


@dataclass(frozen=True, slots=True)
class Matcher:
    """Everything that a query document is compared with: a collection, and the documents searched together if asked."""

    store: VectorStore
    collection: str
    verifier: Verifier
    threads: Workers
    request: SearchRequest
    batch: Batch | None = None

    def match(self, query: QueryDocument, twins: Sequence[Twin], faults: list[SearchFault]) -> list[DocumentMatch]:
        """All documents that any photo of ``query`` was found in, and its byte-identical ``twins``; best first.

        ``faults`` takes what could not be looked for or compared; the rest is in the ranking.

        Raises:
            SetupError, ServiceError: if the archive cannot be asked at all.
        """
        top_k = self.request.top_k
        if self.request.exclude_own_merchant and query.merchant_id is not None:
            twins = [twin for twin in twins if twin.merchant_id != query.merchant_id]
        matches = fused(self._retrieved(query, faults))
        if self.request.verify:
            matches = self.verifier.verified(query, matches, self.threads, faults, self.batch)
        return rank_documents(
            best_of_each_photo(matches, top_k),
            n_query_photos=len(query.photos),
            aggregation=self.request.aggregation,
            top_doc=len(matches) + len(twins) + 1,
            thresholds=self.request,
            twins=twins,
        )

    def _retrieved(self, query: QueryDocument, faults: list[SearchFault]) -> list[Retrieved]:
        """Candidates from the archive and from the batch, each if it can be had."""
        asked = self.request
        how = {"use_words": asked.use_words, "exclude_own_merchant": asked.exclude_own_merchant}
        places = {"the archive": partial(retrieve_from_archive, self.store, self.collection, query, asked.top_k, **how)}
        if self.batch is not None:
            places["the documents searched together"] = partial(self.batch.retrieve, query, asked.top_k, **how)
        parts = []
        for where, retrieve in places.items():
            found = attempt(f"candidates in {where}", retrieve)
            if isinstance(found, Failure):
                faults.append(SearchFault("retrieval", f"No candidates could be had from {where}: {found.reason}"))
            else:
                parts.append(found)
        return parts
