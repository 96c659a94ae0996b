"""Partitions, owners, pools, tags and the decorator that definitions share; the lineage is cut into drops."""

import json
from collections.abc import Callable, Iterable
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

    Raises:
        SettingsError: if the settings are wrong.
    """
    return {**MAX_RUNTIME_TAG, **load_settings().gpu_run_tags}


def gpu_job(graph: dg.GraphDefinition) -> dg.JobDefinition:
    """A job that may use a GPU, to be called while definitions are built.

    Whoever asks for the job of a graph gets the same object: Dagster refuses a sensor's job that equals another by name
    alone.

    Raises:
        SettingsError: if the settings are wrong.
    """
    return _job(graph, json.dumps(gpu_tags(), sort_keys=True))


@lru_cache
def _job(graph: dg.GraphDefinition, tags: str) -> dg.JobDefinition:
    return graph.to_job(tags=json.loads(tags))


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

    Args:
        group: under which the UI shows it.
        kinds: of technology, as the UI's badges.
        deps: names of the assets that it is made from.
        pool: whose limit its step keeps.
        check: name and description of the check whose result it gives itself.
        blocking: whether an error of that check keeps what is made from the asset from being made.
    """

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        asset = function.__name__
        specs = [_check_spec(asset, *check, blocking=blocking)] if check else []
        return dg.asset(
            partitions_def=drops,
            group_name=group,
            kinds=kinds,
            owners=OWNERS,
            deps=deps,
            pool=pool,
            check_specs=specs,
        )(function)

    return decorate


def _check_spec(asset: str, name: str, description: str, *, blocking: bool) -> dg.AssetCheckSpec:
    """A check of one drop: the result of the next drop does not replace that of the one before."""
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=blocking, partitions_def=drops)
