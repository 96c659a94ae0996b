"""Which drops are not what the code and settings in use would make of them."""

from doc_assets.ingest import cutting, describing, embedding, indexing, reading
from doc_assets.ingest.archive import Versions
from doc_assets.ledger.ledger import Ledger


def stale_drops(ledger: Ledger, versions: Versions) -> list[str]:
    """Drops of which a step is missing or was made with another version, oldest first."""
    return ledger.documents.stale_drops(
        {
            reading.STAGE: reading.VERSION,
            cutting.STAGE: versions.photos,
            embedding.STAGE: versions.embeddings,
            describing.STAGE: versions.features,
            indexing.STAGE: versions.points,
        }
    )
