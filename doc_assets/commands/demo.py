"""``doc-assets demo``: drawn documents with known re-use through the whole lineage, compared with the truth."""

from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import FoundDocument, ResultRecord
from doc_assets.archive.vectors.server import ServerStore
from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.launch import ingest_drop
from doc_assets.cli.search import run_search
from doc_assets.datatypes import View
from doc_assets.defs.resources import VectorStoreResource, resources_from
from doc_assets.errors import SetupError
from doc_assets.lab.corpus import IDENTICAL, DocumentPlan, draw_corpus, plan_corpus
from doc_assets.pipeline.sealing import seal_source, sealing_rules
from doc_assets.reports.report import INDEX_NAME
from doc_assets.settings import Settings
from doc_assets.sources.sources import FolderSource
from doc_assets.util.progress import track

_N_ARCHIVE = 60
_SEED = 20
_WANTED_SHARE = 0.9
_INCOMING: list[str | None] = [
    IDENTICAL,
    "recompressed",
    "cropped slightly",
    "cropped",
    "turned by 90°",
    "turned by 180°",
    "mirrored",
    "tilted",
    "tone changed",
    "blurred",
    "grey",
    "faxed",
    "overprinted",
    "at an angle",
    "printed and scanned",
    "from a screen",
    "cropped, printed and scanned",
    None,
    None,
    None,
]


def run_demo(settings: Settings, folder: Path) -> bool:
    """Draws, ingests, searches and prints how each answer compares with the truth.

    Returns:
        Whether every run succeeded and at least nine in ten planted re-uses came first.

    Raises:
        SetupError: if the home holds other documents, which drawn ones must not be mixed with.
    """
    out = console()
    _require_own_home(settings, folder)
    _require_own_server(settings)
    plans = plan_corpus(_N_ARCHIVE, _INCOMING, _SEED)
    with progress_bars():
        draw_corpus(folder, plans)
    out.print(f"{_N_ARCHIVE} archive and {len(_INCOMING)} incoming documents are drawn in {folder}.")
    with Ledger.open(settings.ledger_address, settings.forgotten_key) as ledger:
        source = FolderSource(UPath(folder / "archive"), recursive=False)
        intake = seal_source(Archive(ledger, settings.bulk), source, datetime.now(UTC), sealing_rules(settings))
    with progress_bars():
        ingested = [ingest_drop(drop) for drop in track(intake.drops, "drops", len(intake.drops))]
    out.print(f"The archive is ingested as drop {', '.join(intake.drops)}.")
    output = settings.results_dir / "demo"
    config = {"folder": str(folder / "incoming"), "output_folder": str(output), "privacy_mode": False}  # drawn photos
    searched, results = run_search(settings, config)
    right = _print_answers(results, {plan.name: plan for plan in plans})
    for outcome in (*ingested, searched):
        if not outcome.succeeded:
            out.print(f"Run {outcome.run_id} failed: {outcome.error or ', '.join(outcome.failed_checks)}")
    planted = sum(what is not None for what in _INCOMING)
    out.print(f"{right} of {planted} planted re-uses came first.")
    out.print(f"Report  {output / INDEX_NAME}")
    out.print("UI      make dev, then http://127.0.0.1:3000 (runs, lineage, drops of this demo)")
    succeeded = all(outcome.succeeded for outcome in (*ingested, searched))
    return succeeded and right >= _WANTED_SHARE * planted


def _require_own_home(settings: Settings, folder: Path) -> None:
    with Ledger.open(settings.ledger_address) as ledger:
        own = str(folder.absolute())
        others = sum(1 for document in ledger.documents.current() if not document.source_path.startswith(own))
    if others:
        raise SetupError(
            f"The home {settings.home} holds {others} documents that are not the demo's. Set DOC_ASSETS_HOME to an "
            "empty folder for the demo."
        )


def _require_own_server(settings: Settings) -> None:
    """Refuses a Qdrant server that holds another home's collections: a demo is tried out where nothing can happen."""
    if not settings.qdrant_url:
        return
    resource: VectorStoreResource = resources_from(settings)["vector_store"]
    with resource.open() as store:
        others = store.others() if isinstance(store, ServerStore) else []
    if others:
        raise SetupError(
            f"The Qdrant server {settings.qdrant_url} holds {len(others)} collections of other homes "
            f"({', '.join(others[:3])}). For the demo unset DOC_ASSETS_QDRANT_URL, or name a server of its own."
        )


def _print_answers(results: list[ResultRecord], plans: dict[str, DocumentPlan]) -> int:
    """The table of answers; returns how many planted re-uses came first."""
    table = Table(
        "query",
        "best document",
        "photos matched",
        "similarity",
        "probability",
        "done to the photo",
        "seen as",
        "right?",
    )
    right = 0
    for result in results:
        reuse = plans[result.query_document].reuse
        best = result.top_docs[0]
        is_right = best.n_matched_photos == 0
        if reuse is not None:
            is_right = best.document == reuse.source_document
            right += is_right
        table.add_row(
            result.query_document,
            best.document,
            f"{best.n_matched_photos} of {result.n_photos}",
            f"{best.score:.3f}",
            f"{result.best_probability or 0:.3f}",
            reuse.attack if reuse else "nothing, new photos",
            _seen_as(best),
            "yes" if is_right else "NO",
        )
    console().print(table)
    return right


def _seen_as(best: FoundDocument) -> str:
    if best.exact_duplicate:
        return "identical file"
    if best.n_matched_photos == 0:
        return "no re-use"
    view = View(best.matches[0].quarter_turns, best.matches[0].mirrored)
    turned = f"turned by {90 * view.quarter_turns}°" if view.quarter_turns else ""
    return ", ".join(filter(None, ["mirrored" if view.mirrored else "", turned])) or "same view"
