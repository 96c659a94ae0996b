"""Jobs over the lineage."""

import dagster as dg

from doc_assets.defs.partitions import MAX_RUNTIME_TAG, drops

LINEAGE = ["documents", "photos", "photo_embeddings", "local_features", "indexed_photos", "photo_collection"]

ingest_drop_job = dg.define_asset_job(
    "ingest_drop_job",
    selection=dg.AssetSelection.assets(*LINEAGE),
    partitions_def=drops,
    tags=MAX_RUNTIME_TAG,
    description="One drop from its files to the searchable collection; what is up to date is left alone.",
)
