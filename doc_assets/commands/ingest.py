"""``doc-assets build-image-index``."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.launch import ingest_drop
from doc_assets.documents.keys import merchants_in
from doc_assets.ingest.intake import FolderIntake, seal_folder
from doc_assets.ingest.rebuild import discard_results
from doc_assets.ledger.documents import Document
from doc_assets.ledger.ledger import Ledger
from doc_assets.progress import track
from doc_assets.settings import Settings

_MAX_LISTED = 50


def ingest_folder(
    settings: Settings, folder: Path, key_table: Path | None, *, recursive: bool, force_rebuild: bool
) -> bool:
    """Seals what is new in a folder and ingests its drops; ``key_table`` says whose they are.

    Returns:
        Whether every document of the folder is in the archive and no run failed.
    """
    with Ledger.open(settings.ledger_address) as ledger:
        intake = seal_folder(
            ledger,
            folder,
            datetime.now(UTC),
            recursive=recursive,
            drop_max_documents=settings.bulk_drop_max_documents,
            chunk_documents=settings.chunk_documents,
            ignore=settings.intake_ignore,
            merchant_of=merchants_in(key_table or settings.key_table),
        )
        if force_rebuild:
            discard_results(ledger, settings.bulk, intake.drops)
    with progress_bars():
        outcomes = [ingest_drop(drop) for drop in track(intake.drops, "drops", len(intake.drops))]
    with Ledger.open(settings.ledger_address) as ledger:
        arrivals = ledger.documents.arrivals_at(intake.paths)
    _print(folder, intake, list(arrivals.values()))
    for outcome in outcomes:
        if outcome.error:
            console().print(f"Run {outcome.run_id} failed: {outcome.error}")
        for name in outcome.failed_checks:
            console().print(f"Run {outcome.run_id}: the check {name} failed.")
    accounted = len(arrivals) == len(intake.paths)
    clean = all(document.state in {"ok", "duplicate"} for document in arrivals.values())
    return accounted and clean and all(outcome.succeeded for outcome in outcomes)


def _print(folder: Path, intake: FolderIntake, documents: list[Document]) -> None:
    out = console()
    states = Counter(document.state for document in documents)
    photos = sum(document.n_photos or 0 for document in documents if document.is_current)
    out.print(
        f"{folder}: {len(intake.paths)} documents, {len(intake.sealed)} new drops; "
        + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
        + f"; {photos} photos."
    )
    faulty = [document for document in documents if document.state in {"rejected", "partial", "pending"}]
    if not faulty:
        return
    table = Table("document", "state", "code", "reason")
    for document in faulty[:_MAX_LISTED]:
        table.add_row(document.file_name, document.state, document.reason_code or "", document.reason or "")
    out.print(table)
    if len(faulty) > _MAX_LISTED:
        out.print(f"... and {len(faulty) - _MAX_LISTED} more; `doc-assets status` counts them.")
