"""``doc-assets forget``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.launch import open_instance
from doc_assets.defs.forgetting.home import open_home, require_nothing_runs
from doc_assets.defs.resources import resources_from
from doc_assets.defs.sources import sources_from
from doc_assets.errors import UnknownDocumentError
from doc_assets.ops.erasure.request import ForgetRequest, meant, plan_request
from doc_assets.ops.erasure.run import ForgetReport, Home, forget
from doc_assets.settings import Settings
from doc_assets.sources.names import document_id

_MOST_LISTED = 50


def plan(settings: Settings, names: Sequence[str]) -> list[ForgetRequest]:
    """Requests that are to be carried out: those that were not ended, and one for what is named anew.

    Raises:
        UnknownDocumentError: if nothing is known of a document, or there is nothing to do.
    """
    with _home(settings) as home:
        unfinished = ForgetRequest.open_requests(home.folder)
        covered = {name for request in unfinished for name in request.document_ids}
        fresh = sorted(set(meant(home.archive, names)) - covered)
        requests = [
            *unfinished,
            *([plan_request(home.archive, fresh, sources_from(settings).rules().naming)] if fresh else []),
        ]
    if not requests:
        raise UnknownDocumentError("Name a document to forget; no earlier request is open.")
    return requests


def carry_out(settings: Settings, requests: Sequence[ForgetRequest], *, delete_originals: bool) -> list[ForgetReport]:
    """Forgets, request by request."""
    reports = []
    with _home(settings) as home, open_instance() as instance:
        require_nothing_runs(instance)
        for request in requests:
            request.save(home.folder)
            with progress_bars():
                reports.append(forget(home, request, datetime.now(UTC), delete_originals=delete_originals))
    return reports


def prepare(settings: Settings, requests: Sequence[ForgetRequest]) -> list[str]:
    """Writes requests down for ``forget_documents_job``; returns their keys."""
    for request in requests:
        request.save(settings.home)
    return [request.key for request in requests]


def allow(settings: Settings, names: Sequence[str]) -> None:
    """Lets forgotten documents come again.

    Raises:
        UnknownDocumentError: if one was not forgotten.
    """
    with _home(settings) as home:
        allow_again = home.archive.ledger.tombstones.allow
        unknown = [name for name in names if not (allow_again(name) or allow_again(document_id(name)))]
    if unknown:
        raise UnknownDocumentError(f"These were not forgotten: {', '.join(unknown)}.")


def print_plan(requests: Sequence[ForgetRequest]) -> None:
    """What would be forgotten, in words."""
    out = console()
    for request in requests:
        out.print(
            f"{', '.join(request.document_ids)}: {request.arrivals} files that arrived, {request.photos} photos, "
            f"{len(request.searches)} searches or drops whose results name them."
        )
        for path in request.originals():
            out.print(f"  original still there: {path}")


def print_reports(reports: Sequence[ForgetReport]) -> None:
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


def as_data(requests: Sequence[ForgetRequest], reports: Sequence[ForgetReport]) -> dict[str, Any]:
    """The same as data."""
    return {
        "documents": sorted({name for request in requests for name in request.document_ids}),
        "requests": [request.key for request in requests],
        "arrivals": sum(request.arrivals for request in requests),
        "photos": sum(request.photos for request in requests),
        "searches": sorted({search for request in requests for search in request.searches}),
        "originals": sorted({str(path) for request in requests for path in request.originals()}),
        "reports": [asdict(report) for report in reports],
    }


@contextmanager
def _home(settings: Settings) -> Iterator[Home]:
    resources = resources_from(settings)
    names = ("archive", "reader", "vector_store", "search_defaults")
    with open_instance() as instance, open_home(instance, *(resources[name] for name in names)) as home:
        yield home
