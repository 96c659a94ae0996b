"""Requests to forget without a run of their own: planned, carried out, taken back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from doc_assets.defs.forgetting.home import open_home, require_nothing_runs
from doc_assets.defs.instance import open_instance
from doc_assets.errors import UnknownDocumentError
from doc_assets.ops.erasure.request import ForgetRequest, meant, plan_request
from doc_assets.ops.erasure.run import ForgetReport, Home, forget
from doc_assets.runtime import Runtime
from doc_assets.sources.names import document_id


def plan(runtime: Runtime, names: Sequence[str]) -> list[ForgetRequest]:
    """Requests that are to be carried out: those that were not ended, and one for what is named anew.

    Raises:
        UnknownDocumentError: if nothing is known of a document, or there is nothing to do.
    """
    with _home(runtime) as home:
        unfinished = ForgetRequest.open_requests(home.folder)
        covered = {name for request in unfinished for name in request.document_ids}
        fresh = sorted(set(meant(home.archive, names)) - covered)
        requests = [
            *unfinished,
            *([plan_request(home.archive, fresh, runtime.source_rules.naming)] if fresh else []),
        ]
    if not requests:
        raise UnknownDocumentError("Name a document to forget; no earlier request is open.")
    return requests


def carry_out(runtime: Runtime, requests: Sequence[ForgetRequest], *, delete_originals: bool) -> list[ForgetReport]:
    """Forgets, request by request.

    Raises:
        ServiceError: if a run is in progress, or a store does not answer.
    """
    reports = []
    with _home(runtime) as home, open_instance() as instance:
        require_nothing_runs(instance)
        for request in requests:
            request.save(home.folder)
            reports.append(forget(home, request, datetime.now(UTC), delete_originals=delete_originals))
    return reports


def allow(runtime: Runtime, names: Sequence[str]) -> None:
    """Lets forgotten documents come again.

    Raises:
        UnknownDocumentError: if one was not forgotten.
    """
    with _home(runtime) as home:
        allow_again = home.archive.ledger.tombstones.allow
        unknown = [name for name in names if not (allow_again(name) or allow_again(document_id(name)))]
    if unknown:
        raise UnknownDocumentError(f"These were not forgotten: {', '.join(unknown)}.")


@contextmanager
def _home(runtime: Runtime) -> Iterator[Home]:
    with open_instance() as instance, open_home(instance, runtime) as home:
        yield home
