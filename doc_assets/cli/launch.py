"""Runs the jobs in this process and records them in the home's Dagster instance, for the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from doc_assets.definitions import defs
from doc_assets.defs import index
from doc_assets.defs.instance import PROCESS_TAG, fail_abandoned_runs, open_instance, this_process
from doc_assets.defs.lineage import INGESTION, drops, ingest_drop_job, screen_drop_job
from doc_assets.defs.search import search_documents_job
from doc_assets.defs.step import INTERACTIVE_TAG
from doc_assets.features.embedders.base import EmbedderSpec

_ON_ITS_PAGE = {".dagster/repository": "__repository__@doc_assets"}
"""Tag by which the UI's page of a job, and its timeline, find the runs of a code location (`workspace.yaml`)."""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        run_id: in the Dagster instance.
        error: what a failed step said; None for a successful run.
        failed_checks: names of asset checks that failed with severity ERROR.
        said: what each of them said.
        value: what the op that was asked for gave back; None otherwise.
    """

    run_id: str
    error: str | None
    failed_checks: tuple[str, ...]
    value: Any = None
    said: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed."""
        return self.error is None and not self.failed_checks


def ingest_drop(drop_key: str, *, to_cases: bool = False) -> RunOutcome:
    """Runs ``ingest_drop_job`` for one drop, up to the searchable collection, or to its cases in the review desk."""
    assets = [*INGESTION, *(["document_matches", "review_cases"] if to_cases else [])]
    return _run(ingest_drop_job.name, drop_key=drop_key, assets=assets)


def screen_drop(drop_key: str) -> RunOutcome:
    """Runs ``screen_drop_job`` for one drop."""
    return _run(screen_drop_job.name, drop_key=drop_key)


def fill_drop(drop_key: str, spec: EmbedderSpec) -> RunOutcome:
    """Runs ``fill_collection_job`` for one drop with this embedder."""
    return _run(index.fill_collection_job.name, index.fill_config(spec), drop_key=drop_key)


def switch_collection(spec: EmbedderSpec, back_to: str = "") -> RunOutcome:
    """Runs ``switch_collection_job`` with this embedder; ``value`` says what it did."""
    config, op = index.switch_config(spec, back_to), index.put_collection_in_use.name
    return _run(index.switch_collection_job.name, config, value_of=op)


def search(config: dict[str, Any], run_id: str | None = None, tags: Mapping[str, str] | None = None) -> RunOutcome:
    """Runs ``search_documents_job`` with the fields of ``SearchConfig``, under this id and with these tags if given."""
    job, ops = search_documents_job.name, {"match_query_documents": {"config": config}}
    return _run(job, {"ops": ops}, run_id=run_id, more_tags=tags)


def _run(
    job_name: str,
    run_config: dict[str, Any] | None = None,
    *,
    drop_key: str | None = None,
    assets: Sequence[str] | None = None,
    value_of: str | None = None,
    run_id: str | None = None,
    more_tags: Mapping[str, str] | None = None,
) -> RunOutcome:
    with open_instance() as instance:
        if drop_key is not None:
            instance.add_dynamic_partitions(str(drops.name), [drop_key])
        fail_abandoned_runs(instance)  # a killed command would block this one
        job = defs().resolve_job_def(job_name)
        result = job.execute_in_process(
            run_config={**(run_config or {}), **_QUIET},
            instance=instance,
            partition_key=drop_key,
            asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
            # Should it be killed, nobody but its operator starts it again.
            tags={
                INTERACTIVE_TAG: "true",
                "dagster/max_retries": "0",
                PROCESS_TAG: this_process(),
                **_ON_ITS_PAGE,
                **(more_tags or {}),
            },
            run_id=run_id,
            raise_on_error=False,
        )
        return _outcome(result, value_of)


def _outcome(result: dg.ExecuteInProcessResult, value_of: str | None) -> RunOutcome:
    failed = [
        evaluation
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR
    ]
    checks = tuple(evaluation.check_name for evaluation in failed)
    said = tuple(evaluation.description or "" for evaluation in failed)
    if not result.success:
        return RunOutcome(result.run_id, _error(result.all_events), checks, said=said)
    return RunOutcome(result.run_id, None, checks, result.output_for_node(value_of) if value_of else None, said)


def _error(events: Sequence[dg.DagsterEvent]) -> str:
    for event in events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data is not None and failure.user_failure_data.description:
                return failure.user_failure_data.description
            if failure.error is not None:
                return failure.error.to_string()
    return "The run failed before its first step; `doc-assets ui` shows its log."
