"""Looks at candidate pairs closely: which of them show the same shot, and how one lies on the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from doc_assets.datatypes import LocalFeatures, PhotoKey, PhotoPayload, View
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import PhotoMatch
from doc_assets.search.retrieval import Batch
from doc_assets.verification.geometry import Alignment, align
from doc_assets.verification.probability import same_shot_probability

LoadFeatures = Callable[[Sequence[PhotoPayload]], Mapping[PhotoKey, LocalFeatures]]
"""Archive photos -> their local features; photos that are gone are left out."""

_TRUSTED = 0.5  # from this probability on the transform knows turn and mirror better than the vectors do


def verified(
    query: QueryDocument, matches: Sequence[PhotoMatch], load_features: LoadFeatures, batch: Batch | None
) -> list[PhotoMatch]:
    """The candidates with alignment and probability; those whose photo has been replaced meanwhile are gone."""
    known = load_features([match.payload for match in matches if not match.same_batch])
    found = []
    for match in matches:
        if match.same_batch and batch is not None:
            features = batch.features(match.payload.key)
        elif match.payload.key in known:
            features = known[match.payload.key]
        else:
            continue
        photo = query.photos[match.query_photo]
        alignment = align(photo.features, photo.mirrored_features, features)
        probability = same_shot_probability(match.similarity, alignment)
        view = _view(alignment) if alignment is not None and probability >= _TRUSTED else match.view
        found.append(replace(match, alignment=alignment, probability=probability, view=view))
    return found


def _view(alignment: Alignment) -> View:
    return View(alignment.quarter_turns, alignment.mirrored)
