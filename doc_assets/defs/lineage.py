"""The lineage, cut into drops: partitions, owners, pools, tags, jobs and the decorator of its assets."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import dagster as dg

from doc_assets.settings import load_settings

drops = dg.DynamicPartitionsDefinition(name="drops")
"""One partition per drop: up to thousands of documents that arrived together. Dagster's ceiling is 100,000
partitions of an asset; documents are counted in millions."""

OWNERS = ["team:verification"]
GPU_POOL = "gpu"
"""Steps that hold a GPU; its limit is the number of GPUs."""
INDEX_POOL = "index"
"""Steps that write the vector store; one at a time while it is embedded."""
MAX_RUNTIME_TAG = {"dagster/max_runtime": "14400"}
"""Seconds after which run monitoring ends a run: four hours."""


def gpu_tags() -> dict[str, Any]:
    """Tags of a job that may use a GPU, to be called while definitions are built.

    Where a GPU belongs to one container at a time, only these jobs ask for it.
    """
    return {**MAX_RUNTIME_TAG, **load_settings().gpu_run_tags}


def gpu_job(graph: dg.GraphDefinition, launchpad: Mapping[str, Any] | None = None) -> dg.JobDefinition:
    """A job that may use a GPU, to be called while definitions are built.

    ``launchpad`` is the run config that the Launchpad opens with and that a run without one has; by default every
    option is there. Whoever asks for the job of a graph with the same one gets the same object: Dagster refuses a
    sensor's job that equals another by name alone.
    """
    return _job(graph, json.dumps(gpu_tags(), sort_keys=True), json.dumps(launchpad))


@lru_cache
def _job(graph: dg.GraphDefinition, tags: str, launchpad: str) -> dg.JobDefinition:
    return graph.to_job(tags=json.loads(tags), config=json.loads(launchpad))


def drop_asset(
    group: str,
    *,
    kinds: set[str],
    deps: Iterable[str] = (),
    pool: str | None = None,
    check: tuple[str, str] | None = None,
    blocking: bool = False,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorator of an asset of the lineage: one partition per drop, owned by the team.

    ``check`` is name and description of the check whose result the asset gives itself; with ``blocking`` an error of it
    keeps what is made from the asset from being made. The rest is as in ``dg.asset``.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        specs = []
        if check:  # of one drop: the result of the next drop does not replace that of the one before
            name, says = check
            asset = function.__name__
            specs = [dg.AssetCheckSpec(name, asset=asset, description=says, blocking=blocking, partitions_def=drops)]
        return dg.asset(
            partitions_def=drops, group_name=group, kinds=kinds, owners=OWNERS, deps=deps, pool=pool, check_specs=specs
        )(function)

    return decorate


INGESTION = ["documents", "photos", "photo_embeddings", "local_features", "indexed_photos", "photo_collection"]
"""From files to the searchable collection."""
SCREENING = ["document_matches", "review_cases", "drop_report"]
"""From the collection to what a reviewer opens."""


@dataclass(frozen=True, slots=True)
class DropJob:
    """A job that materializes assets of one drop, which may use a GPU."""

    name: str
    assets: Sequence[str]
    description: str

    def definition(self) -> Any:  # noqa: ANN401 - Dagster does not publish the class
        """The job as Dagster takes it, to be called while definitions are built."""
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
