"""What the lineage is cut into: drops, never single documents."""

import dagster as dg

from doc_assets.settings import load_settings

drops = dg.DynamicPartitionsDefinition(name="drops")
"""One partition a drop: up to thousands of documents that arrived together. Dagster's ceiling is 100,000
partitions an asset; documents are counted in millions."""

OWNERS = ["team:verification"]
GPU_POOL = "gpu"
"""Steps that hold a card; its limit is the number of cards."""
INDEX_POOL = "index"
"""Steps that write the vector store; one at a time while it is embedded."""
MAX_RUNTIME_TAG = {"dagster/max_runtime": "14400"}
"""Seconds after which run monitoring ends a run: four hours."""
EMBEDDING_TAGS = {**MAX_RUNTIME_TAG, **load_settings().card_run_tags}
"""Of jobs that may use a card. Where a card belongs to one container at a time, only these ask for it."""
