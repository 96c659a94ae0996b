"""Forgetting as a job: what was asked for on the command line, ended or done from the UI."""

import dagster as dg
from pydantic import Field

from doc_assets.defs.erasure.erasing import opened_for_erasure
from doc_assets.defs.partitions import INDEX_POOL, MAX_RUNTIME_TAG
from doc_assets.defs.step import step
from doc_assets.runtime import Runtime


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
            description=f"{traces} traces are left; `doc-assets forget` without a name lists them.",
            allow_retries=False,
        )


@dg.job(
    tags=MAX_RUNTIME_TAG,
    description="Forgets the documents of requests that `doc-assets forget --prepare` wrote, or that were not ended.",
)
def forget_documents_job() -> None:
    """Requests -> nothing."""
    forget_requested_documents()
