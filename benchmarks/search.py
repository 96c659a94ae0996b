"""Search: milliseconds a query document in a warm process, at several gallery sizes.

    python -m benchmarks.search [--photos 1000 10000 100000]

The gallery is made of 100 drawn pictures: every photo has the vector of one of them plus noise, scaled to unit length,
and its words, a third of them exchanged for others, so that neighbours are as close as in an archive of similar shops.
The query is a document of two photos: reading, finding, embedding in eight views, describing, searching, verifying the
candidates (against features and pictures in memory).
"""

import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Row, arguments, print_table, save
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.datatypes import Box, IndexedPhoto, LocalFeatures, PhotoKey, PhotoPayload, RgbImage, SparseVector
from doc_assets.features.embedders.base import make_embedder, unit_rows
from doc_assets.features.sift import SiftExtractor
from doc_assets.features.words import Describer, VisualWords
from doc_assets.lab.corpus import draw_document, plan_corpus
from doc_assets.lab.forms import Style, write_tif
from doc_assets.lab.pictures import draw_picture
from doc_assets.photos.base import make_extractor
from doc_assets.photos.cutting import PhotoCutter
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.search.matching import Verifier
from doc_assets.search.query import QueryReader
from doc_assets.search.ranking import rank_documents
from doc_assets.search.retrieval import fused, retrieve_from_archive
from doc_assets.search.verify.probability import PairModel
from doc_assets.sources.sources import single_file

COLLECTION = "photos__benchmark__v1"
PICTURES = 100
REPEATS = 20


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 10_000, 20_000, 100_000])
    options = parser.parse_args()
    embedder = make_embedder("gist", {}, device="cpu", batch_size=32)
    describer = Describer(SiftExtractor(), VisualWords())
    pictures = [draw_picture(4_000_000 + i) for i in range(PICTURES)]
    drawn = embedder.embed(pictures)
    described = [describer.describe(picture) for picture in pictures]
    query = _query_document(options.work)
    rows = []
    with DocumentReader() as reader:
        queries = QueryReader(reader, PhotoCutter(make_extractor("layout", {})), embedder, describer)
        for size in options.photos:
            folder = options.work / f"search-{uuid.uuid4().hex[:6]}"
            gallery = _gallery(drawn, size)
            with EmbeddedStore(folder) as store:
                build_s = _fill(store, gallery, [words for _, words in described])
                measured = _measure(store, queries, query, pictures, [features for features, _ in described])
                rows.append({"photos": size, **measured, "recall@10": _recall(store, gallery), "build_s": build_s})
            shutil.rmtree(folder)
    print_table(rows)
    save("search", {"photos": options.photos, "repeats": REPEATS, "query_photos": 2}, rows)


def _query_document(work: Path) -> Path:
    """A classic document of one page with two photos."""
    plan = next(p for p in plan_corpus(200, [], seed=8) if p.style is Style.CLASSIC and not p.form_page)
    pages, _ = draw_document(plan, None)
    path = work / "query.tif"
    write_tif(path, pages, plan.style)
    return path


def _gallery(drawn: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.6 / np.sqrt(drawn.shape[1]), size=(size, drawn.shape[1]))
    return unit_rows(drawn[np.arange(size) % len(drawn)] + noise)


def _fill(store: VectorStore, vectors: NDArray[np.float32], words: list[SparseVector]) -> float:
    began = time.monotonic()
    rng = np.random.default_rng(2)
    store.create(COLLECTION, vectors.shape[1])
    for start in range(0, len(vectors), 5000):
        points = [
            IndexedPhoto(
                uuid.UUID(int=start + i),
                vector,
                _changed(words[(start + i) % len(words)], rng),
                PhotoPayload(
                    f"d{(start + i) // 2}", f"d{(start + i) // 2}.tif", "", "b", 0, start + i, Box(0, 0, 1, 1)
                ),
            )
            for i, vector in enumerate(vectors[start : start + 5000])
        ]
        store.upsert(COLLECTION, points)
    store.finish(COLLECTION)
    return time.monotonic() - began


def _changed(bag: SparseVector, rng: np.random.Generator) -> SparseVector:
    """A third of the words exchanged for any others."""
    words = bag.indices.copy()
    where = rng.random(len(words)) < 1 / 3
    words[where] = rng.integers(0, 8192, int(where.sum()))
    kept = np.unique(words, return_index=True)[1]
    return SparseVector(words[kept], bag.values[kept])


def _measure(
    store: VectorStore, queries: QueryReader, path: Path, pictures: list[RgbImage], features: list[LocalFeatures]
) -> Row:
    def load(payloads: Sequence[PhotoPayload]) -> dict[PhotoKey, LocalFeatures]:
        return {payload.key: features[payload.photo_index % len(features)] for payload in payloads}

    def pixels(payloads: Sequence[PhotoPayload]) -> dict[PhotoKey, RgbImage]:
        return {payload.key: pictures[payload.photo_index % len(pictures)] for payload in payloads}

    verifier = Verifier(load, pixels, PairModel())
    reading, searching, verifying = [], [], []
    for _ in range(REPEATS + 2):
        began = time.monotonic()
        document = queries.read(single_file(path))
        read = time.monotonic()
        matches = fused([retrieve_from_archive(store, COLLECTION, document, 10, use_words=True)])
        found = time.monotonic()
        matches = verifier.verified(document, matches, queries.reader.threads, [])
        rank_documents(matches, n_query_photos=2, aggregation="max", top_doc=7, thresholds=Thresholds())
        reading.append(read - began)
        searching.append(found - read)
        verifying.append(time.monotonic() - found)
    whole = [1000 * sum(parts) for parts in zip(reading[2:], searching[2:], verifying[2:], strict=True)]
    return {
        "document_ms": float(np.median(whole)),
        "slowest_ms": max(whole),
        "read_and_embed_ms": 1000 * float(np.median(reading[2:])),
        "search_ms": 1000 * float(np.median(searching[2:])),
        "verify_ms": 1000 * float(np.median(verifying[2:])),
        "pairs": len(matches),
    }


def _recall(store: VectorStore, gallery: NDArray[np.float32]) -> float:
    """Share of the true ten nearest that the search graph finds, for blurred copies of 100 gallery vectors."""
    rng = np.random.default_rng(1)
    chosen = gallery[rng.choice(len(gallery), 100, replace=False)]
    asked = unit_rows(chosen + rng.normal(scale=0.3 / np.sqrt(chosen.shape[1]), size=chosen.shape))
    found, true = (store.search(COLLECTION, asked, 10, exact=exact) for exact in (False, True))
    same = [
        len({hit.point_id for hit in hits} & {hit.point_id for hit in wanted})
        for hits, wanted in zip(found, true, strict=True)
    ]
    return sum(same) / (10 * len(asked))


if __name__ == "__main__":
    main()
