"""Another embedder: its collection is filled beside the one in use, examined, and put in use."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from doc_assets.defs.changes import EmbedderConfig
from doc_assets.defs.jobs import INGESTION, DropJob
from doc_assets.defs.partitions import INDEX_POOL, MAX_RUNTIME_TAG, drops
from doc_assets.defs.step import step
from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.pipeline.rebuild import stale_drops
from doc_assets.pipeline.self_test import Recall, planted_recall
from doc_assets.pipeline.switching import Bounds, Candidate, Switch, go_back, switch
from doc_assets.runtime import Runtime

_MAX_REQUESTS = 100

fill_collection_job = DropJob(
    "fill_collection_job",
    [name for name in INGESTION if name != "photo_collection"],
    "One drop into the collection of the embedder in the run's config, beside the one in use.",
)


class SwitchConfig(EmbedderConfig):
    """Which collection is put in use, and how."""

    back_to: str = Field(
        default="", description="Name of a collection that was in use before: put in use at once, without examination."
    )


@dg.op(
    pool=INDEX_POOL,
    out=dg.Out(io_manager_key="in_memory"),
    description="Examines the collection of the embedder in the run's config (counts, search graph, attacked copies of "
    "archive photos) and points the alias at it.",
)
def put_collection_in_use(
    context: dg.OpExecutionContext, config: SwitchConfig, runtime: dg.ResourceParam[Runtime]
) -> dict[str, Any]:
    """One switch; fails without a change if the collection is incomplete or finds too little."""
    settings = runtime.settings
    with step(context), runtime.archive() as archive, runtime.store() as store:

        def recall_of(candidate: Candidate) -> Recall:
            tested = asked.with_embedder(candidate.spec)
            return planted_recall(tested, archive, store, candidate.versions.collection, "reindex")

        asked, now = config.of(runtime), datetime.now(UTC)
        new = _candidate(asked)
        if config.back_to:
            done = go_back(archive, store, runtime.alias, new, config.back_to, now)
        else:
            bounds = Bounds(settings.min_graph_recall, settings.self_test_fail)
            old = _candidate(asked.with_embedder(None))
            done = switch(archive, store, runtime.alias, new, old, recall_of, bounds, now)
        model = runtime.pair_model(new.versions.embedder_id)
    report = {**_report(done), "similarity_counts": model.similarity_counts}
    context.add_output_metadata({name: value for name, value in report.items() if value is not None})
    return report


def _candidate(runtime: Runtime) -> Candidate:
    return Candidate(runtime.embedder_spec(), runtime.embedder(), runtime.versions())


@dg.job(tags=MAX_RUNTIME_TAG, description="Puts a filled collection in use; ends what reindex_sensor began.")
def switch_collection_job() -> None:
    """Examination and switch."""
    put_collection_in_use()


@dg.definitions
def reindexing() -> dg.Definitions:
    """The jobs, one with the tags that the settings ask for, and the sensor that starts them."""
    filling = fill_collection_job.definition()

    @dg.sensor(
        jobs=[filling, switch_collection_job],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Fills the collection that `doc-assets reindex --queue` asked for, a run a drop, and puts it in "
        "use.",
    )
    def reindex_sensor(
        context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        with runtime.archive() as archive:
            asked = archive.ledger.collections.last("queued")
            if asked is None:
                return dg.SkipReason("No collection is asked for; `doc-assets reindex --queue` does.")
            spec = EmbedderSpec(asked.embedder, asked.options)
            missing = stale_drops(archive.ledger, runtime.with_embedder(spec).versions())
        if missing:
            context.instance.add_dynamic_partitions(str(drops.name), missing)
        return _run_requests(spec, f"{asked.name}:{asked.since:%Y%m%dT%H%M%S}", missing)

    return dg.Definitions(jobs=[filling, switch_collection_job], sensors=[reindex_sensor])


def _run_requests(spec: EmbedderSpec, request: str, missing: Sequence[str]) -> list[dg.RunRequest]:
    """Runs for the drops that are missing, or the one that switches; run keys keep them from coming twice."""
    if not missing:
        return [dg.RunRequest(f"{request}:switch", switch_config(spec), job_name=switch_collection_job.name)]
    return [
        dg.RunRequest(f"{request}:{drop}", fill_config(spec), job_name=fill_collection_job.name, partition_key=drop)
        for drop in missing[:_MAX_REQUESTS]
    ]


def fill_config(spec: EmbedderSpec) -> dict[str, Any]:
    """Config of a run of ``fill_collection_job`` with this embedder."""
    return {"ops": {name: _with_embedder(spec) for name in ("photo_embeddings", "indexed_photos")}}


def switch_config(spec: EmbedderSpec, back_to: str = "") -> dict[str, Any]:
    """Config of a run of ``switch_collection_job`` with this embedder."""
    return {"ops": {put_collection_in_use.name: _with_embedder(spec, back_to=back_to)}}


def _with_embedder(spec: EmbedderSpec, **further: str) -> dict[str, Any]:
    return {"config": {"embedder": spec.name, "embedder_options": dict(spec.options), **further}}


def _report(done: Switch) -> dict[str, Any]:
    """What is shown of a switch: plain values."""
    report = {name: value for name, value in asdict(done).items() if not name.startswith("planted")}
    for name, recall in (("planted", done.planted), ("planted_before", done.planted_before)):
        words = None if recall is None else f"{sum(recall.found.values())} of {sum(recall.planted.values())}"
        report[name] = words
    return report
