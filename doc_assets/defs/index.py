"""The collection that searches use: checked, completed every night, made anew, replaced by that of another embedder."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from doc_assets.defs.changes import EmbedderConfig
from doc_assets.defs.instance import open_instance, require_nothing_runs
from doc_assets.defs.lineage import INDEX_POOL, INGESTION, MAX_RUNTIME_TAG, DropJob, drops, ingest_drop_job
from doc_assets.defs.step import step
from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.pipeline.indexing import inspect_collection
from doc_assets.pipeline.rebuild import RebuildReport, rebuild_collection
from doc_assets.pipeline.self_test import Recall, graph_recall, planted_recall
from doc_assets.pipeline.staleness import stale_drops
from doc_assets.pipeline.switching import Bounds, Candidate, Switch, go_back, switch
from doc_assets.runtime import Runtime
from doc_assets.settings import load_settings

_MAX_REQUESTS = 100
_SAMPLE = 32

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
def collection() -> dg.Definitions:
    """Jobs, checks, sensor and schedule of the collection, as the settings ask for them."""
    settings, filling = load_settings(), fill_collection_job.definition()

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

    @dg.schedule(
        job_name=ingest_drop_job.name,
        cron_schedule=settings.reindex_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ingests drops again of which a step is missing, or was made by another version or setting.",
    )
    def nightly_reindex_schedule(
        context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        with runtime.archive() as archive:
            stale = stale_drops(archive.ledger, runtime.versions())
        if not stale:
            return dg.SkipReason("Every drop is complete and made by the versions in use.")
        context.instance.add_dynamic_partitions(str(drops.name), stale)
        night = f"{context.scheduled_execution_time:%Y%m%d}"
        assets = [dg.AssetKey(name) for name in INGESTION]  # what was screened stays screened
        return [
            dg.RunRequest(run_key=f"{key}:{night}", partition_key=key, asset_selection=assets)
            for key in stale[:_MAX_REQUESTS]
        ]

    return dg.Definitions(
        jobs=[filling, switch_collection_job],
        asset_checks=[collection_matches_ledger, ann_agrees_with_exact],
        sensors=[reindex_sensor],
        schedules=[nightly_reindex_schedule],
    )


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
    report = asdict(done)
    for name, recall in (("planted", done.planted), ("planted_before", done.planted_before)):
        report[name] = recall and f"{sum(recall.found.values())} of {sum(recall.planted.values())}"
    return report


def rebuild(runtime: Runtime) -> RebuildReport:
    """Makes the collection of the versions in use anew.

    Raises:
        ServiceError: if a run is in progress, or the store does not answer.
    """
    with open_instance() as instance:
        require_nothing_runs(instance)
    with runtime.archive() as archive, runtime.store() as store:
        versions, spec, now = runtime.versions(), runtime.embedder_spec(), datetime.now(UTC)
        return rebuild_collection(archive, store, versions, runtime.embedder(), spec, runtime.alias, now)


@dg.asset_check(asset="photo_collection")
def collection_matches_ledger(
    context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
) -> dg.AssetCheckResult:
    """The published collection holds exactly the photos of all current documents.

    Another number of photos is an error; documents that are not indexed yet, as while another drop is
    under way, are a warning.
    """
    with step(context), runtime.archive() as archive, runtime.store() as store:
        report = inspect_collection(archive, store, runtime.versions().collection, runtime.alias)
    return dg.AssetCheckResult(
        passed=report.is_complete and report.published,
        severity=dg.AssetCheckSeverity.WARN if report.is_sound else dg.AssetCheckSeverity.ERROR,
        description=f"{report.points} points, {report.expected} photos in the ledger, {report.documents_missing} "
        f"documents not indexed yet, published: {report.published}."
        + (" `doc-assets rebuild-index` makes the collection anew from Parquet." if not report.is_sound else ""),
        metadata={
            "points": report.points,
            "photos_in_ledger": report.expected,
            "documents_missing": report.documents_missing,
        },
    )


@dg.asset_check(asset="photo_collection")
def ann_agrees_with_exact(
    context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
) -> dg.AssetCheckResult:
    """The search graph finds the ten nearest photos that comparing with every photo finds, for a sample of photos."""
    seed = context.run.tags.get("dagster/partition", context.run.run_id)
    with step(context), runtime.archive() as archive, runtime.store() as store:
        versions = runtime.versions()
        recall = graph_recall(archive, versions, store, versions.collection, _SAMPLE, seed)
    return dg.AssetCheckResult(
        passed=recall >= runtime.settings.min_graph_recall,
        description=f"{recall:.3f} of the ten nearest photos of {_SAMPLE} archive photos were found.",
        metadata={"recall@10": round(recall, 4)},
    )
