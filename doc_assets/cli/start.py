"""Commands to begin with, the demo and the web UI, and those that serve documents and metrics."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars, show_table
from doc_assets.cli.shell import FAILED, SearchRoots, absolute, app, command, home_ledger
from doc_assets.errors import SetupError
from doc_assets.util.progress import track

if TYPE_CHECKING:
    from doc_assets.lab.demo import Answer
    from doc_assets.settings import Settings

_COLUMNS = (
    "query",
    "best document",
    "photos matched",
    "similarity",
    "probability",
    "done to the photo",
    "seen as",
    "right?",
)


@app.command(rich_help_panel="Start")
def demo(
    folder: Annotated[Path | None, typer.Option(file_okay=False, help="Default: demo/ in the home.")] = None,
) -> None:
    """Draw documents with known re-use, ingest, search and screen them, and compare with the truth."""
    with command() as settings:
        if not _run_demo(settings, folder or settings.home / "demo"):
            raise typer.Exit(FAILED)


@app.command(rich_help_panel="Start")
def ui(
    port: Annotated[int, typer.Option(help="Port of the web page.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's web UI with sensor and schedules on this home."""
    with command() as settings:
        from doc_assets.defs.instance import open_instance
        from doc_assets.ops.home import WORKSPACE_FILE, claim_daemon

        with open_instance():
            pass  # its tables are there before Dagster's processes look for them
        log_format = "json" if settings.log_format == "json" else "rich"
        program = Path(sys.executable).with_name("dagster")
        claim_daemon(settings, "doc-assets ui")
        arguments = ["dev", "-w", str(WORKSPACE_FILE), "-p", str(port), "-h", host, "--log-format", log_format]
        os.execv(program, [str(program), *arguments])


def _run_demo(settings: "Settings", folder: Path) -> bool:
    """Draws, ingests, searches, screens and prints; returns whether all runs succeeded and enough was found."""
    from doc_assets.cli.launch import ingest_drop
    from doc_assets.cli.search import run_search
    from doc_assets.lab.demo import INCOMING, N_ARCHIVE, N_PLANTED, are_enough, compared, draw_demo, n_found
    from doc_assets.reports.report import INDEX_NAME

    out = console()
    _require_own_home(settings, folder)
    _require_own_server(settings)
    with progress_bars():
        plans = draw_demo(folder)
    out.print(f"{N_ARCHIVE} archive and {len(INCOMING)} incoming documents are drawn in {folder}.")
    drops = _seal(settings, folder / "archive")
    with progress_bars():
        ingested = [ingest_drop(drop) for drop in track(drops, "drops", len(drops))]
    out.print(f"The archive is ingested as drop {', '.join(drops)}.")
    output = settings.results_dir / "demo"
    config = {"folder": str(folder / "incoming"), "output_folder": str(output), "privacy_mode": False}  # drawn photos
    searched, results = run_search(settings, config)
    answers = compared(results, plans)
    show_table(_COLUMNS, (_row(answer) for answer in answers))
    incoming = _seal(settings, folder / "incoming")
    with progress_bars():
        screened = [ingest_drop(drop, to_cases=True) for drop in track(incoming, "drops", len(incoming))]
    outcomes = [*ingested, searched, *screened]
    for outcome in outcomes:
        if not outcome.succeeded:
            out.print(f"Run {outcome.run_id} failed: {outcome.error or ', '.join(outcome.failed_checks)}")
    out.print(f"{n_found(answers)} of {N_PLANTED} planted re-uses came first.")
    out.print(f"Report  {output / INDEX_NAME}")
    out.print("UI      make dev, then http://127.0.0.1:3000 (runs, lineage, drops of this demo)")
    out.print(
        f"Desk    {_n_waiting(settings)} cases of the incoming documents wait in the review desk: make desk "
        f"(`doc-assets serve` with the home {settings.home}) prints an address that opens them"
    )
    return all(outcome.succeeded for outcome in outcomes) and are_enough(n_found(answers))


def _n_waiting(settings: "Settings") -> int:
    """Cases that somebody must judge."""
    from doc_assets.archive.ledger.verdicts import UNDECIDED

    with home_ledger(settings) as ledger:
        counts = ledger.cases.counts()
    return sum(counts.get(state, 0) for state in UNDECIDED)


def _require_own_home(settings: "Settings", folder: Path) -> None:
    """Refuses a home with other documents, which drawn ones must not be mixed with."""
    with home_ledger(settings) as ledger:
        own = str(folder.absolute())
        others = sum(1 for document in ledger.documents.current() if not document.source_path.startswith(own))
    if others:
        raise SetupError(
            f"The home {settings.home} holds {others} documents that are not the demo's. Set DOC_ASSETS_HOME to an "
            "empty folder for the demo."
        )


def _require_own_server(settings: "Settings") -> None:
    """Refuses a Qdrant server that holds another home's collections: a demo is tried out where nothing can happen."""
    from doc_assets.archive.vectors.server import ServerStore
    from doc_assets.runtime import Runtime

    if not settings.qdrant_url:
        return
    with Runtime(settings).store() as store:
        others = store.others() if isinstance(store, ServerStore) else []
    if others:
        raise SetupError(
            f"The Qdrant server {settings.qdrant_url} holds {len(others)} collections of other homes "
            f"({', '.join(others[:3])}). For the demo unset DOC_ASSETS_QDRANT_URL, or name a server of its own."
        )


def _seal(settings: "Settings", folder: Path) -> Sequence[str]:
    """Seals a folder's documents; returns the keys of their drops."""
    from upath import UPath

    from doc_assets.pipeline.sealing import seal_source, sealing_rules
    from doc_assets.runtime import Runtime
    from doc_assets.sources.sources import FolderSource

    runtime, source = Runtime(settings), FolderSource(UPath(folder), recursive=False)
    with runtime.archive() as archive:
        return seal_source(archive, source, datetime.now(UTC), sealing_rules(runtime)).drops


def _row(answer: "Answer") -> Iterator[str]:
    result, best = answer.result, answer.best
    yield result.query_document
    yield best.document
    yield f"{best.n_matched_photos} of {result.n_photos}"
    yield f"{best.score:.3f}"
    yield f"{result.best_probability or 0:.3f}"
    yield answer.reuse.attack if answer.reuse else "nothing, new photos"
    yield answer.seen_as
    yield "yes" if answer.is_right else "NO"


@app.command(rich_help_panel="Documents")
def serve_images(
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    key_table: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Key table whose columns the answers show. Default: DOC_ASSETS_KEY_TABLE."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address; another than this machine's own needs an API key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 5001,
    save_folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, writable=True, help="Keep the copies that clients ask for there."),
    ] = None,
) -> None:
    """Serve documents by key over HTTP (the document API), from archive folders that are only read."""

    def ready(address: str) -> None:
        typer.echo(f"Documents are served on {address}/images?filename=KEY (Ctrl+C ends).")

    with command() as settings:
        from doc_assets.ops.image_server.app import serve_images as serve
        from doc_assets.runtime import Runtime

        rules = Runtime(settings).source_rules
        rules = replace(rules, key_table=absolute(key_table) or rules.key_table)
        serve(settings, rules, host, port, tuple(search_root), absolute(save_folder), ready)


@app.command(rich_help_panel="Operation")
def serve_metrics(
    host: Annotated[
        str, typer.Option(help="Address. There is no login; let only those reach it who watch.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 9464,
) -> None:
    """Serve metrics of archive, runs, daemons and disks for Prometheus, without the name of any document."""

    def ready(address: str) -> None:
        typer.echo(f"Metrics are served on {address} (Ctrl+C ends).")

    with command() as settings:
        from doc_assets.cli.instance_metrics import InstanceMetrics
        from doc_assets.ops.metrics.service import serve_metrics as serve

        instance = InstanceMetrics(settings)
        serve(settings, instance.families, instance.embedded_counts, host, port, ready)
