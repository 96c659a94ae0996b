"""Two documents of the archive compared photo by photo, now, by what is stored of them: no model is loaded for it.

Pairs are taken in the order of their vectors' similarity, so that a limit on number or time leaves out the least
promising ones. Vectors are compared as the photos stand, turned or mirrored by nothing: where keypoints agree the
similarity does not count, and finding the turn is their work.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from doc_assets.archive.archive import Archive, chunk_of
from doc_assets.archive.ledger.results import PhotoPair, SearchFault
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.shards import read_jpegs_at
from doc_assets.archive.tables import read_rows_at
from doc_assets.datatypes import LocalFeatures, PhotoCrop, PhotoPayload, SparseVector, View
from doc_assets.features.sift import mirrored
from doc_assets.pipeline.stored_queries import query_without_photos
from doc_assets.search.form_pictures import said_of
from doc_assets.search.kinds import labelled
from doc_assets.search.matching import Verifier
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.search.ranking import PhotoMatch, telling
from doc_assets.search.record import photo_pair

_AT_ONCE = 4
_KEPT = 32
_NO_WORDS = SparseVector(np.empty(0, np.uint32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one comparison may cost.

    Attributes:
        pairs: most photo pairs that are looked at.
        seconds: after so many no further pair is begun.
    """

    pairs: int = 40
    seconds: float = 4.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing two documents came to.

    Attributes:
        pairs: with their labels, seen from the first document, the most telling first.
        n_possible: photo pairs that the two documents make.
        faults: pairs that could not be compared, in words.
    """

    pairs: tuple[PhotoPair, ...]
    n_possible: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A photo of the archive; ``vector`` is None where none is stored."""

    payload: PhotoPayload
    jpeg: bytes
    vector: NDArray[np.float32] | None
    features: LocalFeatures | None


class Comparer:
    """Compares documents of an archive, two at a time; the newest comparisons are kept.

    Args:
        archive: that holds them.
        verifier: finds keypoints and judges pairs.
        embedder_id: of the vectors.
        thresholds: of the labels.
        limits: of each comparison.
    """

    def __init__(
        self,
        archive: Archive,
        verifier: Verifier,
        embedder_id: str,
        thresholds: Thresholds,
        limits: Limits = Limits(),
    ) -> None:
        self._archive, self._verifier, self._thresholds, self._limits = archive, verifier, thresholds, limits
        self._embedder_id = embedder_id
        self._kept: OrderedDict[tuple[int, int], Comparison] = OrderedDict()
        self._busy = Lock()

    def compare(self, own: Document, other: Document) -> Comparison:
        """All photo pairs of two current documents, as far as the limits allow; one comparison is made at a time.

        Raises:
            SetupError: if what is stored of a document is gone.
        """
        with self._busy:
            found = self._kept.get((own.id, other.id))
            if found is None:
                found = self._kept[own.id, other.id] = self._compared(own, other)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        # Labels are made each time: what is a picture of the form may have been decided since.
        return replace(found, pairs=self._labelled(own, other, found.pairs))

    def _compared(self, own: Document, other: Document) -> Comparison:
        limits = self._limits
        until = time.monotonic() + limits.seconds
        ours = [photo for photo in self._stored(own) if photo.features is not None]
        theirs = self._stored(other)
        query = _query(own, ours)
        matches = sorted(
            (
                PhotoMatch(at, there.payload, _cosine(here, there), View(0, mirrored=False))
                for at, here in enumerate(ours)
                for there in theirs
            ),
            key=lambda match: -match.similarity,
        )[: limits.pairs]
        faults: list[SearchFault] = []
        looked_at: list[PhotoMatch] = []
        with threadpool_limits(1, "blas"):
            for start in range(0, len(matches), _AT_ONCE):
                if time.monotonic() > until:
                    break
                looked_at += self._looked(query, matches[start : start + _AT_ONCE], faults)
        looked_at.sort(key=lambda match: telling(match.probability, is_alike=match.likeness is not None))
        return Comparison(
            tuple(photo_pair(match, query) for match in looked_at),
            len(ours) * len(theirs),
            tuple(fault.in_words() for fault in faults),
        )

    def _looked(
        self, query: QueryDocument, matches: Sequence[PhotoMatch], faults: list[SearchFault]
    ) -> list[PhotoMatch]:
        photos = dict.fromkeys(match.query_photo for match in matches)
        return [
            looked
            for photo in photos
            for looked in self._verifier.look_at(
                query.photos[photo], [match for match in matches if match.query_photo == photo], faults
            )
        ]

    def _labelled(self, own: Document, other: Document, pairs: Sequence[PhotoPair]) -> tuple[PhotoPair, ...]:
        """With why each is alike, and whether the ledger knows what it shows as a picture of the form."""
        forms = self._archive.ledger.form_pictures.of_rows([own.id, other.id])

        def known(pair: PhotoPair) -> bool | None:
            ends = (own.id, pair.query_photo), (other.id, pair.photo)
            return said_of(pair, [forms[photo] for photo in ends if photo in forms])

        return tuple(labelled(replace(pair, known_form=known(pair)), self._thresholds) for pair in pairs)

    def _stored(self, document: Document) -> list[_Stored]:
        """The photos of a document in the archive, in order."""
        chunk = chunk_of(document, self._archive.chunks(document.drop_key))
        table = self._archive.photo_shard(chunk)
        if not table.exists():
            return []
        rows = {
            at: payload
            for at, payload in enumerate(read_payloads(table))
            if (payload.document_id, payload.sha256) == (document.document_id, document.sha256)
        }
        jpegs = dict(read_jpegs_at(table, rows))
        features = self._verifier.load_features(list(rows.values()))
        vectors = self._vectors(document, list(rows.values()))
        return [
            _Stored(payload, jpegs[at], vectors.get(payload.photo_index), features.get(payload.key))
            for at, payload in rows.items()
        ]

    def _vectors(self, document: Document, payloads: Sequence[PhotoPayload]) -> dict[int, NDArray[np.float32]]:
        """Vectors by photo, as far as there are any."""
        chunk = chunk_of(document, self._archive.chunks(document.drop_key))
        table = self._archive.embedding_shard(chunk, self._embedder_id)
        if not table.exists():
            return {}
        wanted = {payload.key for payload in payloads}
        rows = {at: each.photo_index for at, each in enumerate(read_payloads(table)) if each.key in wanted}
        return {rows[at]: np.asarray(row["vector"], np.float32) for at, row in read_rows_at(table, rows, ["vector"])}


def _query(document: Document, photos: Sequence[_Stored]) -> QueryDocument:
    return replace(query_without_photos(document), photos=tuple(map(_photo, photos)))


def _photo(photo: _Stored) -> QueryPhoto:
    payload, nothing = photo.payload, np.empty((0, 0, 3), np.uint8)
    if photo.features is None:
        raise ValueError("a photo without keypoints cannot be compared")
    return QueryPhoto(
        crop=PhotoCrop(payload.page_index, payload.photo_index, payload.box, 0.0, nothing),
        jpeg=photo.jpeg,
        views=np.empty((0, 0), np.float32),  # nothing is searched for
        features=photo.features,
        mirrored_features=mirrored(photo.features),
        words=(_NO_WORDS, _NO_WORDS),
    )


def _cosine(one: _Stored, other: _Stored) -> float:
    return 0.0 if one.vector is None or other.vector is None else float(one.vector @ other.vector)
