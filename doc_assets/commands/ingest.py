"""``doc-assets build-image-index``."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from rich.table import Table

from doc_assets.archive.ledger.rows import Document
from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.launch import ingest_drop
from doc_assets.commands.resolve import print_date_faults, print_key_problems, print_lines
from doc_assets.defs.resources import ArchiveResource, resources_from
from doc_assets.defs.sources import SourcesResource, sources_from
from doc_assets.pipeline.rebuild import discard_results
from doc_assets.pipeline.sealing import SealingRules, SourceIntake, seal_request
from doc_assets.settings import Settings
from doc_assets.sources.opening import SourceRequest
from doc_assets.sources.resolving import KeyState
from doc_assets.util.progress import track

_MAX_LISTED = 50
_MAX_IGNORED = 10


def ingest_source(settings: Settings, asked: SourceRequest, *, force_rebuild: bool, allow_missing: bool) -> bool:
    """Seals what is new in a source and ingests its drops.

    Args:
        settings: of the home.
        asked: which documents.
        force_rebuild: whether what is up to date is made again.
        allow_missing: whether keys without a document are reported only.

    Returns:
        Whether every document asked for is in the archive, every subfolder could be looked into and no run failed.
    """
    resources = resources_from(settings)
    archive: ArchiveResource = resources["archive"]
    sources: SourcesResource = resources["sources"]
    with archive.open() as opened:
        rules = replace(sealing_rules(settings), read_all=force_rebuild)
        intake = seal_request(opened, sources.rules(), asked, datetime.now(UTC), rules)
        if force_rebuild:
            discard_results(opened.ledger, opened.bulk, intake.drops)
    with progress_bars():
        outcomes = [ingest_drop(drop) for drop in track(intake.drops, "drops", len(intake.drops))]
    with archive.open() as opened:
        arrivals = opened.ledger.documents.arrivals_at(intake.origins)
    _print(intake, list(arrivals.values()))
    for outcome in outcomes:
        if outcome.error:
            console().print(f"Run {outcome.run_id} failed: {outcome.error}")
        for name, said in zip(outcome.failed_checks, outcome.said, strict=True):
            console().print(f"Run {outcome.run_id}: the check {name} failed. {said}")
    if intake.forgotten:
        console().print(
            f"{len(intake.forgotten)} documents were forgotten and are not taken again: "
            f"{', '.join(intake.forgotten[:10])}. `doc-assets forget --allow DOCUMENT` lets them in."
        )
    if intake.ignored.n:
        console().print(f"{intake.ignored.named(_MAX_IGNORED, asked.folder)}.")
    if intake.nothing and asked.folder:
        console().print(f"{intake.nothing} Nothing was ingested.")
        return False
    # A row that cannot be used is no key without a document: nobody knows what it names.
    excused = [p for p in intake.problems if allow_missing and p.is_of_table and p.state is not KeyState.UNUSABLE]
    missing = [problem for problem in intake.problems if problem not in excused]
    accounted = len(arrivals) == len(set(intake.origins)) and not missing
    accounted = accounted and not intake.forgotten
    clean = all(document.state in {"ok", "duplicate"} for document in arrivals.values())
    return accounted and clean and all(outcome.succeeded for outcome in outcomes)


def sealing_rules(settings: Settings) -> SealingRules:
    """How documents of a source become drops."""
    return SealingRules(
        settings.bulk_drop_max_documents,
        settings.chunk_documents,
        settings.max_file_bytes,
        settings.document_api_workers,
        sources_from(settings).dates(),
    )


def _print(intake: SourceIntake, documents: list[Document]) -> None:
    out = console()
    states = Counter(document.state for document in documents)
    photos = sum(document.n_photos or 0 for document in documents if document.is_current)
    out.print(
        f"{intake.source}: {len(set(intake.origins))} documents, {len(intake.sealed)} new drops; "
        + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
        + f"; {photos} photos."
    )
    print_lines(intake.notes)
    print_key_problems(intake.problems)
    print_date_faults(intake.date_faults)
    if intake.described:
        out.print(f"{len(intake.described)} documents of before have another merchant, date or key table fields now.")
    faulty = [document for document in documents if document.state in {"rejected", "partial", "pending"}]
    if not faulty:
        return
    table = Table("document", "state", "code", "reason")
    for document in faulty[:_MAX_LISTED]:
        table.add_row(document.file_name, document.state, document.reason_code or "", document.reason or "")
    out.print(table)
    if len(faulty) > _MAX_LISTED:
        out.print(f"... and {len(faulty) - _MAX_LISTED} more; `doc-assets status` counts them.")
