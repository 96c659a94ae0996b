"""Which drops are not what the code and settings in use would make of them."""

from doc_assets.archive.archive import Versions
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.pipeline import cutting, describing, embedding, indexing, reading


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
