"""How a self test of a collection is put together from resources."""

from doc_assets.archive.archive import Archive
from doc_assets.archive.photo_lookup import FeatureLookup, PixelLookup
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.defs.resources import (
    DescriberResource,
    PhotoCutterResource,
    QualityResource,
    SearchDefaultsResource,
)
from doc_assets.features.embedders.base import Embedder
from doc_assets.pipeline.self_test import PlantedCopies, Recall
from doc_assets.search.matching import Matcher
from doc_assets.util.threads import Workers


def planted_recall(
    archive: Archive,
    store: VectorStore,
    embedder: Embedder,
    collection: str,
    threads: Workers,
    photo_cutter: PhotoCutterResource,
    describer: DescriberResource,
    search_defaults: SearchDefaultsResource,
    quality: QualityResource,
    seed: str,
) -> Recall:
    """Attacked copies of archive photos that are found in a collection; which ones depends on ``seed``."""
    loaded = describer.load()
    copies = PlantedCopies(archive, embedder, loaded, photo_cutter.jpeg_quality)
    matcher = Matcher(
        store,
        collection,
        FeatureLookup(archive, loaded.features_id),
        PixelLookup(archive),
        threads,
        search_defaults.model(embedder.embedder_id),
        search_defaults.request(include_batch=False),
    )
    return copies.recall(matcher, quality.self_test_photos, seed)
