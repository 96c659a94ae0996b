"""Which drops are not what the code and settings in use would make of them."""

from doc_assets.ingest import cutting, embedding, indexing, reading
from doc_assets.ingest.archive import embeddings_made_with
from doc_assets.ledger.ledger import Ledger


def stale_drops(ledger: Ledger, photos_version: str, embedder_id: str) -> list[str]:
    """Drops of which a step is missing or was made with another version, oldest first."""
    vectors = embeddings_made_with(embedder_id, photos_version)
    return ledger.documents.stale_drops(
        {
            reading.STAGE: reading.VERSION,
            cutting.STAGE: photos_version,
            embedding.STAGE: vectors,
            indexing.STAGE: vectors,
        }
    )
