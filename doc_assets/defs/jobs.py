"""Jobs over the lineage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from doc_assets.defs.partitions import gpu_tags

INGESTION = ["documents", "photos", "photo_embeddings", "local_features", "indexed_photos", "photo_collection"]
"""From files to the searchable collection."""
SCREENING = ["document_matches", "review_cases", "drop_report"]
"""From the collection to what a reviewer opens."""


@dataclass(frozen=True, slots=True)
class DropJob:
    """A job over assets of one drop, which may use a GPU.

    Attributes:
        name: of the job.
        assets: that it materializes.
        description: as the UI shows it.
    """

    name: str
    assets: Sequence[str]
    description: str

    def definition(self) -> Any:  # noqa: ANN401 - Dagster does not publish the class
        """The job as Dagster takes it, to be called while definitions are built.

        Raises:
            SettingsError: if the settings are wrong.
        """
        selection = dg.AssetSelection.assets(*self.assets)
        return dg.define_asset_job(self.name, selection, description=self.description, tags=gpu_tags())


ingest_drop_job = DropJob(
    "ingest_drop_job",
    [*INGESTION, *SCREENING],
    "One drop from its files to its report; what is up to date is left alone.",
)
screen_drop_job = DropJob(
    "screen_drop_job",
    SCREENING,
    "Compares the documents of a drop with the archive as it is now, and writes the drop's report anew.",
)


@dg.definitions
def drop_jobs() -> dg.Definitions:
    """The jobs with the tags that the settings ask for."""
    return dg.Definitions(jobs=[ingest_drop_job.definition(), screen_drop_job.definition()])
