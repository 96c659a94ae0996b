"""The package's weights fitted again, on a site's own photos instead of drawn pictures."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.payloads import read_keys
from doc_assets.archive.shards import read_photo_at
from doc_assets.datatypes import RgbImage
from doc_assets.errors import SetupError
from doc_assets.features.embedders.base import Embedder
from doc_assets.photos.cutting import decode_jpeg

Weights = Literal["embedder", "words", "probability"]
WEIGHTS: tuple[Weights, ...] = ("embedder", "words", "probability")
FEWEST_PHOTOS = 300
"""Fewer cannot span a 256-d projection."""


@dataclass(frozen=True, slots=True)
class SampledPhotos:
    """Photos of an archive by number, each in a shard and row; numbers beyond the last begin anew."""

    places: tuple[tuple[str, int], ...]

    def __call__(self, number: int) -> RgbImage:
        """The photo as stored."""
        shard, row = self.places[number % len(self.places)]
        return decode_jpeg(read_photo_at(UPath(shard), row).jpeg)


def sample_photos(archive: Archive, n: int, seed: int, fewest: int = FEWEST_PHOTOS) -> SampledPhotos:
    """At most ``n`` different photos of current documents, the same ones for the same archive and seed.

    Raises:
        SetupError: if the archive has fewer than ``fewest``.
    """
    current = {document.document_id for document in archive.ledger.documents.current()}
    places = [
        (str(shard), row)
        for drop_key in archive.ledger.intake.drop_keys()
        for chunk in archive.chunks(drop_key)
        if (shard := archive.photo_shard(chunk)).exists()
        for row, key in enumerate(read_keys(shard))
        if key.document_id in current
    ]
    if len(places) < fewest:
        raise SetupError(
            f"The archive has {len(places)} photos, fitting needs {fewest} or more. Ingest more, or keep the "
            "package's weights."
        )
    chosen = np.random.default_rng(seed).permutation(len(places))[:n]
    return SampledPhotos(tuple(places[at] for at in sorted(chosen)))


def refit(folder: Path, what: Collection[Weights], photos: SampledPhotos, embedder: Embedder) -> dict[Weights, str]:
    """Fits what is asked for into ``<what>/`` folders, the probability for this embedder; returns SHA-256 by file."""
    return {name: _fit(name, folder / name, photos, embedder) for name in what}


def _fit(what: Weights, folder: Path, photos: SampledPhotos, embedder: Embedder) -> str:
    n = len(photos.places)
    from doc_assets.lab.fit_features import GistRecipe, WordsRecipe, fit_gist, fit_words
    from doc_assets.lab.fit_probability import ProbabilityRecipe, fit_probability

    if what == "embedder":
        return fit_gist(folder, GistRecipe(pictures=n, seed=0), source=photos)
    if what == "words":
        return fit_words(folder, WordsRecipe(pictures=n, seed=0), source=photos)
    return fit_probability(folder, embedder, ProbabilityRecipe(pictures=n, seed=0), photos)
