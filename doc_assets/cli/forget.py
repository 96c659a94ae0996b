"""``forget``."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doc_assets.cli.console import console, print_first, progress_bars
from doc_assets.cli.shell import FAILED, AsJson, app, command, say
from doc_assets.errors import SettingsError

if TYPE_CHECKING:
    from doc_assets.ops.erasure.request import ForgetRequest
    from doc_assets.ops.erasure.run import ForgetReport


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
    with command() as settings, ExitStack() as opened:
        from doc_assets.defs.erasure import opened_for_erasure
        from doc_assets.defs.instance import open_instance
        from doc_assets.runtime import Runtime

        instance = opened.enter_context(open_instance())
        erasing = opened.enter_context(opened_for_erasure(Runtime(settings), instance))
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
            if not yes and not sys.stdin.isatty():
                raise SettingsError("forgetting cannot be undone; give --yes.")
            if not yes:
                typer.confirm("This cannot be undone. Forget them?", abort=True)
            with progress_bars():
                reports = erasing.carry_out(requests, delete_originals=delete_originals)
        say(_as_data(requests, reports), lambda: _print_reports(reports), as_json=as_json)
        if any(report.traces for report in reports):
            raise typer.Exit(FAILED)


def _print_plan(requests: Sequence["ForgetRequest"]) -> None:
    out = console()
    for request in requests:
        out.print(
            f"{', '.join(request.document_ids)}: {request.arrivals} files that arrived, {request.photos} photos, "
            f"{len(request.searches)} searches or drops whose results name them."
        )
        for path in request.originals():
            out.print(f"  original still there: {path}")


def _print_reports(reports: Sequence["ForgetReport"]) -> None:
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
        print_first([f"{trace.place}: {trace.what}" for trace in report.traces])


def _as_data(requests: Sequence["ForgetRequest"], reports: Sequence["ForgetReport"]) -> dict[str, Any]:
    return {
        "documents": sorted({name for request in requests for name in request.document_ids}),
        "requests": [request.key for request in requests],
        "arrivals": sum(request.arrivals for request in requests),
        "photos": sum(request.photos for request in requests),
        "searches": sorted({search for request in requests for search in request.searches}),
        "originals": sorted({str(path) for request in requests for path in request.originals()}),
        "reports": list(reports),
    }
