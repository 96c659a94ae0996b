"""Forgetting as a job: what was asked for on the command line, ended or done from the UI."""

from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from doc_assets.defs.forgetting.home import open_home, require_nothing_runs
from doc_assets.defs.partitions import INDEX_POOL, MAX_RUNTIME_TAG
from doc_assets.defs.step import step
from doc_assets.ops.erasure.request import ForgetRequest
from doc_assets.ops.erasure.run import forget
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
    traces = n = 0
    with step(context), open_home(context.instance, runtime) as home:
        require_nothing_runs(context.instance, but=context.run_id)
        for request in ForgetRequest.open_requests(home.folder):
            if not config.requests or request.key in config.requests:
                report = forget(home, request, datetime.now(UTC))
                traces += len(report.traces)
                n += len(request.document_ids)
    context.add_output_metadata({"documents": n, "traces": traces})
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
