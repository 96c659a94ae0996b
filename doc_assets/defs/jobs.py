"""Jobs over the lineage."""

import dagster as dg

from doc_assets.defs.partitions import EMBEDDING_TAGS

INGESTION = ["documents", "photos", "photo_embeddings", "local_features", "indexed_photos", "photo_collection"]
"""From files to the searchable collection."""
SCREENING = ["document_matches", "drop_report"]
"""From the collection to what a reviewer opens."""

ingest_drop_job = dg.define_asset_job(
    "ingest_drop_job",
    selection=dg.AssetSelection.assets(*INGESTION, *SCREENING),
    tags=EMBEDDING_TAGS,
    description="One drop from its files to its report; what is up to date is left alone.",
)

screen_drop_job = dg.define_asset_job(
    "screen_drop_job",
    selection=dg.AssetSelection.assets(*SCREENING),
    tags=EMBEDDING_TAGS,
    description="Compares the documents of a drop with the archive as it is now, and writes the drop's report anew.",
)
