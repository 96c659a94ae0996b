"""The whole way of a folder into an archive, without Dagster."""

from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.pipeline.cutting import cut_drop
from doc_assets.pipeline.describing import describe_drop
from doc_assets.pipeline.embedding import embed_drop
from doc_assets.pipeline.indexing import index_drop, publish_collection
from doc_assets.pipeline.reading import read_drop
from doc_assets.pipeline.sealing import SealingRules, seal_source
from doc_assets.sources.sources import FolderSource
from doc_assets_tests.conftest import NOW

SPEC = EmbedderSpec("gist", {})


class Pipeline:
    """Runs every stage on what a folder holds."""

    def __init__(self, archive, reader, cutter, embedder, describer, qdrant: Path) -> None:
        self.archive, self.reader, self.cutter = archive, reader, cutter
        self.embedder, self.describer = embedder, describer
        self.qdrant = qdrant

    @property
    def versions(self):
        """What everything is made with."""
        return Versions(self.cutter.version, self.embedder.embedder_id, self.describer.features_id)

    @property
    def collection(self):
        """The collection that is filled."""
        return self.versions.collection

    def ingest(self, folder: Path):
        """Seals and ingests what is new; returns the drops sealed now."""
        source = FolderSource(UPath(folder))
        intake = seal_source(self.archive, source, NOW, SealingRules(drop_max_documents=100, chunk_documents=3))
        for drop in intake.sealed:
            self.run(drop)
        return intake.sealed

    def run(self, drop):
        """All stages of one drop; returns their reports."""
        read = read_drop(self.archive, self.reader, drop, NOW)
        cut = cut_drop(self.archive, self.reader, self.cutter, drop, NOW)
        embedded = embed_drop(self.archive, self.embedder, self.cutter.version, drop, NOW)
        describe_drop(self.archive, self.describer, 2, self.cutter.version, drop, NOW)
        with self.store() as store:
            indexed = index_drop(self.archive, store, self.versions, self.embedder.dim, drop, NOW)
            published = publish_collection(self.archive, store, self.collection, self.embedder, SPEC, "photos", NOW)
        return read, cut, embedded, indexed, published

    @contextmanager
    def store(self):
        """The vector store, open."""
        with EmbeddedStore(self.qdrant) as store:
            yield store

    def points(self):
        """Every point's id and payload."""
        with self.store() as store:
            return dict(store.scan(self.collection))


@contextmanager
def opened(root: Path, *tools):
    """A pipeline with reader, cutter, embedder and describer on what lies in a folder; empty if nothing does."""
    with Ledger.open(f"sqlite:///{root / 'ledger.sqlite'}") as ledger:
        yield Pipeline(Archive(ledger, UPath(root / "bulk")), *tools, root / "qdrant")
