"""What the code and settings in use would make otherwise: found, thrown away, made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from upath import UPath

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import SetupError
from doc_assets.features.embedders.base import Embedder, EmbedderSpec
from doc_assets.pipeline import cutting, describing, embedding, indexing, reading
from doc_assets.pipeline.indexing import CollectionReport, index_drop, publish_collection, require_made_with
from doc_assets.util.progress import track


def stale_drops(ledger: Ledger, versions: Versions) -> list[str]:
    """Drops of which a step is missing or was made with another version, oldest first."""
    return ledger.documents.stale_drops(
        [
            Stage(reading.STAGE, "", reading.VERSION),
            Stage(cutting.STAGE, "", versions.photos),
            Stage(embedding.STAGE, versions.embedder_id, versions.embeddings),
            Stage(describing.STAGE, versions.features_id, versions.features),
            Stage(indexing.STAGE, versions.collection, versions.points),
        ]
    )


def discard_results(ledger: Ledger, bulk: UPath, drop_keys: Sequence[str]) -> None:
    """Removes what was made from the documents of drops; documents, their states and points stay until replaced."""
    archive = Archive(ledger, bulk)
    for drop_key in drop_keys:
        ledger.documents.reopen(drop_key)
        for chunk in archive.chunks(drop_key):
            archive.photo_shard(chunk).unlink(missing_ok=True)
            for shard in archive.derived_shards(chunk):
                shard.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """A collection made anew, without the drops whose tables are missing or stale: their run makes these and points."""

    collection: CollectionReport
    not_ready: list[str]


def rebuild_collection(
    archive: Archive,
    store: VectorStore,
    versions: Versions,
    embedder: Embedder,
    spec: EmbedderSpec,
    alias: str,
    now: datetime,
) -> RebuildReport:
    """Makes the collection anew from Parquet, whatever is left of it; nothing is embedded or described again.

    ``embedder``, by its ``spec``, made the vectors; ``alias`` is the one that searches use.
    """
    drops = archive.ledger.intake.drop_keys()
    ready = [drop_key for drop_key in drops if _is_ready(archive, drop_key, versions)]
    store.drop(versions.collection)
    store.create(versions.collection, embedder.dim)
    for drop_key in track(ready, "drops", len(ready)):
        index_drop(archive, store, versions, embedder.dim, drop_key, now)
    report = publish_collection(archive, store, versions.collection, embedder, spec, alias, now)
    return RebuildReport(report, sorted(set(drops) - set(ready)))


def _is_ready(archive: Archive, drop_key: str, versions: Versions) -> bool:
    try:
        for chunk in archive.chunks(drop_key):
            require_made_with(archive, chunk, archive.current(chunk), versions)
    except SetupError:
        return False
    return True
