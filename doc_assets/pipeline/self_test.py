"""Would a re-use be found today? Archive photos are attacked in memory and searched like a query's.

And does the search graph still find what comparing with every photo finds?
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from doc_assets.archive.archive import Archive, Chunk, Versions, chunk_of
from doc_assets.archive.ledger.results import SearchFault
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.payloads import read_keys
from doc_assets.archive.shards import read_embeddings, read_photo_at
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import Box, Embeddings, PhotoCrop, RgbImage
from doc_assets.faults import DocumentState
from doc_assets.features.embedders.base import Embedder
from doc_assets.features.words import Describer
from doc_assets.photos.cutting import decode_jpeg, encode_jpeg
from doc_assets.runtime import Runtime
from doc_assets.search.kinds import may_be_drawn
from doc_assets.search.matching import Matcher, Verifier
from doc_assets.search.query import QueryDocument, QueryPhoto
from doc_assets.util.progress import track
from doc_assets.util.threads import Workers

_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Recall:
    """How many copies the self test planted and found, by attack."""

    found: dict[str, int]
    planted: dict[str, int]

    @property
    def total(self) -> float:
        """Share of all planted copies whose original counts as matched; 1 if none was planted."""
        planted = sum(self.planted.values())
        return sum(self.found.values()) / planted if planted else 1.0

    @property
    def missed(self) -> list[str]:
        """Attacks of which a copy was not found."""
        return [name for name, n in self.planted.items() if self.found.get(name, 0) < n]


@dataclass(frozen=True, slots=True)
class PlantedCopies:
    """Makes attacked copies of archive photos, and searches for them with the models that the archive was made with."""

    archive: Archive
    embedder: Embedder
    describer: Describer
    jpeg_quality: int

    def recall(self, matcher: Matcher, n: int, seed: str) -> Recall:
        """Searches for ``n`` attacked photos; which photos and attacks depends on ``seed`` alone."""
        from doc_assets.lab.attacks import ATTACKS, attack  # noqa: PLC0415 - draws with cv2, see the bans

        rng = np.random.default_rng(list(seed.encode()))
        names = list(ATTACKS)
        first = int(rng.integers(len(names)))
        found: dict[str, int] = defaultdict(int)
        planted: dict[str, int] = defaultdict(int)
        photos = list(_sampled_photos(self.archive, n, rng))
        for number, (document_id, photo) in enumerate(track(photos, "planted copies", len(photos))):
            name = names[(first + number) % len(names)]
            query = self._query(attack(name, photo, int(rng.integers(1 << 31))))
            planted[name] += 1
            faults: list[SearchFault] = []  # a copy that cannot be compared is a copy that is not found
            # The photo may have been re-used in the archive, so its own document need not come first.
            found[name] += any(
                match.document_id == document_id and match.n_matched_photos(matcher.request) > 0
                for match in matcher.match(query, [], faults)
            )
        return Recall(dict(found), dict(planted))

    def _query(self, pixels: RgbImage) -> QueryDocument:
        jpeg = encode_jpeg(pixels, self.jpeg_quality)
        stored = decode_jpeg(jpeg)
        (views,) = self.embedder.embed_views([stored])
        crop = PhotoCrop(0, 0, Box(0, 0, stored.shape[1], stored.shape[0]), 0.0, stored)
        photo = QueryPhoto.of(crop, jpeg, views, self.describer.describe(stored), self.describer.words)
        return QueryDocument("", "", None, DocumentState.OK, None, None, (photo,))


def planted_recall(runtime: Runtime, archive: Archive, store: VectorStore, collection: str, seed: str) -> Recall:
    """Attacked copies of archive photos that are found in a collection; which ones depends on ``seed``."""
    embedder, describer, settings = runtime.embedder(), runtime.describer(), runtime.settings
    copies = PlantedCopies(archive, embedder, describer, settings.photo_jpeg_quality)
    with Workers(settings.decode_workers) as threads:
        verifier = Verifier.of(archive, describer.features_id, runtime.pair_model(embedder.embedder_id))
        matcher = Matcher(store, collection, verifier, threads, runtime.request(include_batch=False))
        return copies.recall(matcher, settings.self_test_photos, seed)


def graph_recall(archive: Archive, versions: Versions, store: VectorStore, collection: str, n: int, seed: str) -> float:
    """Share of the true ten nearest photos of ``n`` archive photos that the search graph finds; 1 for an empty one."""
    rng = np.random.default_rng(list(seed.encode()))
    vectors = _sampled_vectors(archive, versions, n, rng)
    if not len(vectors):
        return 1.0
    quick = store.search(collection, vectors, _NEIGHBOURS)
    exact = store.search(collection, vectors, _NEIGHBOURS, exact=True)
    ours, true = ([{hit.point_id for hit in hits} for hits in found] for found in (quick, exact))
    wanted = sum(map(len, true))
    return sum(len(a & b) for a, b in zip(ours, true, strict=True)) / wanted if wanted else 1.0


def _sampled_photos(archive: Archive, n: int, rng: np.random.Generator) -> Iterator[tuple[str, RgbImage]]:
    """A photograph of each sampled document and its id; of one that shows nothing but pictures of the form, none.

    Copies of what the form prints never count as re-use, so they would count as missed.
    """
    from doc_assets.search.verify.graphics import look_of  # noqa: PLC0415 - measures with cv2, see the bans

    for document, chunk in _sampled_documents(archive, n, rng):
        shard = archive.photo_shard(chunk)
        known = archive.ledger.form_pictures.of_rows({document.id})
        of_form = {number for (_, number), picture in known.items() if picture.state in {"recognised", "confirmed"}}
        rows = [
            at
            for at, key in enumerate(read_keys(shard))
            if key.document_id == document.document_id and key.photo_index not in of_form
        ]
        photos = (decode_jpeg(read_photo_at(shard, int(at)).jpeg) for at in rng.permutation(rows))
        found = next((photo for photo in photos if not may_be_drawn(look_of(photo))), None)
        if found is not None:
            yield document.document_id, found


def _sampled_vectors(archive: Archive, versions: Versions, n: int, rng: np.random.Generator) -> Embeddings:
    chunks = {chunk: None for _, chunk in _sampled_documents(archive, max(1, n // 8), rng)}
    rows = [
        row.vector for chunk in chunks for row in read_embeddings(archive.embedding_shard(chunk, versions.embedder_id))
    ]
    if not rows:
        return np.empty((0, 0), np.float32)
    return np.stack([rows[at] for at in rng.choice(len(rows), min(n, len(rows)), replace=False)])


def _sampled_documents(archive: Archive, n: int, rng: np.random.Generator) -> Iterator[tuple[Document, Chunk]]:
    for document in archive.ledger.documents.sample_indexed(rng.random(n).tolist()):
        yield document, chunk_of(document, archive.chunks(document.drop_key))
