"""Another embedder: its collection is filled beside the one in use, examined, and put in use."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from doc_assets.defs.jobs import INGESTION, DropJob
from doc_assets.defs.partitions import INDEX_POOL, MAX_RUNTIME_TAG, drops
from doc_assets.defs.resources import (
    ArchiveResource,
    DescriberResource,
    EmbedderResource,
    PhotoCutterResource,
    QualityResource,
    SearchDefaultsResource,
    VectorStoreResource,
    versions_in_use,
)
from doc_assets.defs.screening.self_test import planted_recall
from doc_assets.defs.step import step
from doc_assets.features.embedders.base import Embedder, EmbedderSpec
from doc_assets.pipeline.self_test import Recall
from doc_assets.pipeline.staleness import stale_drops
from doc_assets.pipeline.switching import Bounds, Candidate, Switch, go_back, switch
from doc_assets.util.threads import Workers

_MAX_REQUESTS = 100

fill_collection_job = DropJob(
    "fill_collection_job",
    [name for name in INGESTION if name != "photo_collection"],
    "One drop into the collection of the embedder in the run's config, beside the one in use.",
)


class SwitchConfig(dg.Config):
    """How a collection is put in use."""

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
    context: dg.OpExecutionContext,
    config: SwitchConfig,
    archive: ArchiveResource,
    photo_cutter: PhotoCutterResource,
    embedder: EmbedderResource,
    describer: DescriberResource,
    vector_store: VectorStoreResource,
    search_defaults: SearchDefaultsResource,
    quality: QualityResource,
) -> dict[str, Any]:
    """One switch; fails without a change if the collection is incomplete or finds too little."""

    def candidate(resource: EmbedderResource) -> Candidate:
        return Candidate(resource.spec(), resource.load(), versions_in_use(photo_cutter, resource, describer))

    with step(context), archive.open() as opened, vector_store.open() as store, Workers(describer.workers) as threads:

        def recall_of(model: Embedder, collection: str) -> Recall:
            return planted_recall(
                opened, store, model, collection, threads, photo_cutter, describer, search_defaults, quality, "reindex"
            )

        now = datetime.now(UTC)
        new = candidate(embedder)
        if config.back_to:
            done = go_back(opened, store, vector_store.alias, new, config.back_to, now)
        else:
            done = switch(
                opened,
                store,
                vector_store.alias,
                new,
                candidate(embedder.in_use()),
                recall_of,
                Bounds(quality.min_graph_recall, quality.self_test_fail),
                now,
            )
        model = search_defaults.model(new.versions.embedder_id)
    report = {**_report(done), "similarity_counts": model.similarity_counts}
    context.add_output_metadata({name: value for name, value in report.items() if value is not None})
    return report


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
        context: dg.SensorEvaluationContext,
        archive: ArchiveResource,
        photo_cutter: PhotoCutterResource,
        embedder: EmbedderResource,
        describer: DescriberResource,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        with archive.open() as opened:
            asked = opened.ledger.collections.last("queued")
            if asked is None:
                return dg.SkipReason("No collection is asked for; `doc-assets reindex --queue` does.")
            candidate = embedder.pinned_to(EmbedderSpec(asked.embedder, asked.options))
            missing = stale_drops(opened.ledger, versions_in_use(photo_cutter, candidate, describer))
        if missing:
            context.instance.add_dynamic_partitions(str(drops.name), missing)
        return _run_requests(candidate, f"{asked.name}:{asked.since:%Y%m%dT%H%M%S}", missing)

    return dg.Definitions(jobs=[filling, switch_collection_job], sensors=[reindex_sensor])


def _run_requests(candidate: EmbedderResource, request: str, missing: Sequence[str]) -> list[dg.RunRequest]:
    """Runs for the drops that are missing, or the one that switches; run keys keep them from coming twice."""
    config = run_config(candidate)
    if not missing:
        return [dg.RunRequest(f"{request}:switch", config, job_name=switch_collection_job.name)]
    return [
        dg.RunRequest(f"{request}:{drop}", config, job_name=fill_collection_job.name, partition_key=drop)
        for drop in missing[:_MAX_REQUESTS]
    ]


def run_config(candidate: EmbedderResource, ops: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Config of a run that uses this embedder."""
    fields = {
        "name": candidate.name,
        "options": candidate.options,
        "device": candidate.device,
        "batch_size": candidate.batch_size,
        "pinned": True,
    }
    return {"resources": {"embedder": {"config": fields}}, **({"ops": dict(ops)} if ops else {})}


def _report(done: Switch) -> dict[str, Any]:
    """What is shown of a switch: plain values."""
    report = {name: value for name, value in asdict(done).items() if not name.startswith("planted")}
    for name, recall in (("planted", done.planted), ("planted_before", done.planted_before)):
        words = None if recall is None else f"{sum(recall.found.values())} of {sum(recall.planted.values())}"
        report[name] = words
    return report
