"""Requests to forget documents, on a home that is opened once: planned, carried out, taken back; and as a job."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import dagster as dg
from pydantic import Field

from doc_assets.defs.instance import places_of_records, require_nothing_runs
from doc_assets.defs.lineage import INDEX_POOL, MAX_RUNTIME_TAG
from doc_assets.defs.step import step
from doc_assets.errors import UnknownDocumentError
from doc_assets.ops.erasure.request import ForgetRequest, meant, plan_request
from doc_assets.ops.erasure.run import ForgetReport, Home, forget
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets.sources.key_names import NameRule
from doc_assets.sources.names import document_id


@dataclass(frozen=True, slots=True)
class Erasing:
    """What an operator may ask for. ``naming`` says how keys of key tables name files."""

    home: Home
    instance: dg.DagsterInstance
    naming: NameRule

    def unfinished(self) -> list[ForgetRequest]:
        """Requests that were not ended, oldest first."""
        return ForgetRequest.open_requests(self.home.settings.home)

    def plan(self, names: Sequence[str]) -> list[ForgetRequest]:
        """Requests that are to be carried out: those that were not ended, and one for what is named anew.

        Raises:
            UnknownDocumentError: if nothing is known of a document, or there is nothing to do.
        """
        requests, archive = self.unfinished(), self.home.archive
        covered = {name for request in requests for name in request.document_ids}
        if fresh := sorted(set(meant(archive, names)) - covered):
            requests.append(plan_request(archive, fresh, self.naming))
        if not requests:
            raise UnknownDocumentError("Name a document to forget; no earlier request is open.")
        return requests

    def carry_out(
        self, requests: Sequence[ForgetRequest], *, delete_originals: bool = False, but_run: str | None = None
    ) -> list[ForgetReport]:
        """Forgets, request by request, while no run but ``but_run`` is in progress.

        With ``delete_originals`` files in the home that the documents came from go too.

        Raises:
            ServiceError: if a run is in progress, or a store does not answer.
        """
        require_nothing_runs(self.instance, but_run)
        reports = []
        for request in requests:
            request.save(self.home.settings.home)
            reports.append(forget(self.home, request, datetime.now(UTC), delete_originals=delete_originals))
        return reports

    def allow(self, names: Sequence[str]) -> None:
        """Lets forgotten documents come again.

        Raises:
            UnknownDocumentError: if one was not forgotten.
        """
        allow_again = self.home.archive.ledger.tombstones.allow
        unknown = [name for name in names if not (allow_again(name) or allow_again(document_id(name)))]
        if unknown:
            raise UnknownDocumentError(f"These were not forgotten: {', '.join(unknown)}.")


@contextmanager
def opened_for_erasure(runtime: Runtime, instance: dg.DagsterInstance) -> Iterator[Erasing]:
    """A home, with Dagster's records of it."""
    with runtime.archive() as archive:
        labeller = runtime.labeller(archive.ledger)
        home = Home(
            settings=runtime.settings,
            archive=archive,
            open_store=runtime.store,
            open_reader=runtime.reader,
            model=labeller.model,
            thresholds=labeller.thresholds,
            records=partial(_records, instance, runtime.settings),
            second_review=runtime.second_review,
        )
        yield Erasing(home, instance, runtime.source_rules.naming)


def _records(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """URLs of the databases that the instance keeps its records in."""
    served = sorted(filter(None, places_of_records(instance)))
    return [*served, *(f"sqlite:///{path}" for path in sorted(settings.dagster_home.rglob("*.db")))]


class ForgetConfig(dg.Config):
    """Which requests; names of documents never stand here, because Dagster keeps a run's config."""

    requests: list[str] = Field(
        default=[],
        description="Keys that `doc-assets forget --prepare` printed; default: every request that was not ended.",
    )


@dg.op(
    pool=INDEX_POOL,
    description="Removes the documents of requests from everything that is kept, and searches for traces.",
)
def forget_requested_documents(
    context: dg.OpExecutionContext, config: ForgetConfig, runtime: dg.ResourceParam[Runtime]
) -> None:
    """Ends open requests; the log says how many traces are left, never of what."""
    with step(context), opened_for_erasure(runtime, context.instance) as erasing:
        wanted = config.requests
        requests = [each for each in erasing.unfinished() if not wanted or each.key in wanted]
        reports = erasing.carry_out(requests, but_run=context.run_id)
    traces = sum(len(report.traces) for report in reports)
    context.add_output_metadata({"documents": sum(len(each.document_ids) for each in requests), "traces": traces})
    if traces:
        raise dg.Failure(
            description=f"{traces} traces are left; `doc-assets forget` without a name lists them.", allow_retries=False
        )


@dg.job(
    tags=MAX_RUNTIME_TAG,
    description="Forgets the documents of requests that `doc-assets forget --prepare` wrote, or that were not ended.",
)
def forget_documents_job() -> None:
    """Requests -> nothing."""
    forget_requested_documents()
