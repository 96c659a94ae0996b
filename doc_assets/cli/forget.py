"""``forget``."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, WRONG_USE, AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.ops.erasure.request import ForgetRequest
    from doc_assets.ops.erasure.run import ForgetReport

_MOST_LISTED = 50


@app.command(rich_help_panel="Documents")
def forget(
    document: Annotated[list[str] | None, typer.Argument(help="Id or file name of a document.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only write the request that forget_documents_job carries out.")
    ] = False,
    delete_originals: Annotated[
        bool, typer.Option("--delete-originals", help="Delete the files it came from too, if they lie in the home.")
    ] = False,
    allow: Annotated[bool, typer.Option("--allow", help="Let forgotten documents come again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make documents vanish from everything that is kept, and prove it; without a name, end what was interrupted."""
    from doc_assets.defs.erasure import opened_for_erasure
    from doc_assets.defs.instance import open_instance
    from doc_assets.runtime import Runtime

    with (
        command() as settings,
        open_instance() as instance,
        opened_for_erasure(Runtime(settings), instance) as erasing,
    ):
        if allow:
            erasing.allow(document or [])
            return
        requests = erasing.plan(document or [])
        if not as_json:
            _print_plan(requests)
        reports: list[ForgetReport] = []
        if prepare:
            for request in requests:
                request.save(settings.home)
            if not as_json:
                typer.echo(f"Requests for forget_documents_job: {' '.join(request.key for request in requests)}")
        elif not dry_run:
            if not yes:
                _ask()
            with progress_bars():
                reports = erasing.carry_out(requests, delete_originals=delete_originals)
        say(_as_data(requests, reports), lambda: _print_reports(reports), as_json=as_json)
        if any(report.traces for report in reports):
            raise typer.Exit(FAILED)


def _ask() -> None:
    if not sys.stdin.isatty():
        typer.secho("doc-assets: forgetting cannot be undone; give --yes.", fg=typer.colors.RED, err=True)
        raise typer.Exit(WRONG_USE)
    typer.confirm("This cannot be undone. Forget them?", abort=True)


def _print_plan(requests: Sequence["ForgetRequest"]) -> None:
    """What would be forgotten, in words."""
    out = console()
    for request in requests:
        out.print(
            f"{', '.join(request.document_ids)}: {request.arrivals} files that arrived, {request.photos} photos, "
            f"{len(request.searches)} searches or drops whose results name them."
        )
        for path in request.originals():
            out.print(f"  original still there: {path}")


def _print_reports(reports: Sequence["ForgetReport"]) -> None:
    """What was removed and what is left, in words."""
    out = console()
    for report in reports:
        out.print(
            f"{report.points} points, {len(report.searches)} results of searches, {len(report.reports)} reports "
            f"written anew, {len(report.removed_files)} further files removed, {report.replaced} names replaced."
        )
        for folder in report.foreign:
            out.print(f"  results outside the home, not touched: {folder}")
        for path in report.originals:
            out.print(f"  the original is still there: {path}")
        out.print(f"Proof: {len(report.traces)} traces.")
        for trace in report.traces[:_MOST_LISTED]:
            out.print(f"  {trace.place}: {trace.what}")


def _as_data(requests: Sequence["ForgetRequest"], reports: Sequence["ForgetReport"]) -> dict[str, Any]:
    """The same as data."""
    return {
        "documents": sorted({name for request in requests for name in request.document_ids}),
        "requests": [request.key for request in requests],
        "arrivals": sum(request.arrivals for request in requests),
        "photos": sum(request.photos for request in requests),
        "searches": sorted({search for request in requests for search in request.searches}),
        "originals": sorted({str(path) for request in requests for path in request.originals()}),
        "reports": list(reports),
    }
