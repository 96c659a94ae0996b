"""``search-doc``."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doc_assets.cli.console import console, print_lacking, print_lines, progress_bars, show_table
from doc_assets.cli.shell import FAILED, ApiUrl, Folder, KeyTable, SearchRoots, absolute, app, command, home_ledger
from doc_assets.errors import SettingsError

if TYPE_CHECKING:
    from doc_assets.archive.ledger.results import ResultRecord
    from doc_assets.cli.launch import RunOutcome
    from doc_assets.settings import Settings

_MOST_FAULTS = 3


@app.command("search", short_help="Short for search-doc.", rich_help_panel="Archive")
@app.command(rich_help_panel="Archive")
def search_doc(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where the results are written.")],
    folder: Folder = None,
    file: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A query document; may be repeated.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    api_url: ApiUrl = "",
    top_k: Annotated[int, typer.Option(min=1, help="Nearest archive photos a query photo.")] = 10,
    top_doc: Annotated[int, typer.Option(min=1, help="Documents reported a query document.")] = 7,
    aggregation_strategy: Annotated[str, typer.Option(help="max, sum or mean.")] = "max",
    include_batch: Annotated[bool, typer.Option(help="Compare the query documents with each other too.")] = True,
    use_words: Annotated[bool, typer.Option("--words/--no-words", help="Look by visual words too.")] = True,
    exclude_own_merchant: Annotated[
        bool, typer.Option("--exclude-own-merchant", help="Leave documents of the query's own merchant out.")
    ] = False,
    verify: Annotated[bool, typer.Option(help="Compare the keypoints of candidates.")] = True,
    privacy_mode: Annotated[bool, typer.Option(help="Keep no pixel of the query documents.")] = True,
) -> None:
    """Search the archive for the photos of query documents."""
    if aggregation_strategy not in {"max", "sum", "mean"}:
        raise typer.BadParameter("must be max, sum or mean", param_hint="--aggregation-strategy")
    if folder is None and not file and key_table is None:
        raise typer.BadParameter("name a --folder, a --file or a --key-table")
    config: dict[str, Any] = {
        "folder": folder or "",
        "files": [str(path.absolute()) for path in file or []],
        "recursive": recursive,
        "key_table": str(absolute(key_table) or ""),
        "search_roots": list(search_root),
        "api_url": api_url,
        "output_folder": str(output_folder.absolute()),
        "top_k": top_k,
        "top_doc": top_doc,
        "aggregation_strategy": aggregation_strategy,
        "include_batch": include_batch,
        "use_words": use_words,
        "exclude_own_merchant": exclude_own_merchant,
        "verify": verify,
        "privacy_mode": privacy_mode,
    }
    with command() as settings:
        outcome, results = run_search(settings, config)
        if key_table is not None:
            print_lines(_table_report(settings, key_table.absolute()))
        _print_found(outcome, results, config["output_folder"])
        if not outcome.succeeded:
            raise typer.Exit(FAILED)


def run_search(settings: "Settings", config: dict[str, Any]) -> "tuple[RunOutcome, list[ResultRecord]]":
    """Runs the search job with these fields of ``SearchConfig``; returns how it ended and what it recorded."""
    from doc_assets.cli.launch import search

    with progress_bars():
        outcome = search(config)
    with home_ledger(settings) as ledger:
        return outcome, ledger.searches.results(outcome.run_id)


def _table_report(settings: "Settings", table: Path) -> list[str]:
    """What is to be said of the key table of a search; nothing if it cannot be read, which failed the run."""
    from doc_assets.runtime import Runtime
    from doc_assets.sources.key_tables.table import KeyTable

    rules = Runtime(settings).source_rules
    try:
        with KeyTable.read(table, rules.layout, rules.naming) as read:
            return read.report
    except SettingsError:
        return []


def _print_found(outcome: "RunOutcome", results: "Sequence[ResultRecord]", folder: str) -> None:
    from doc_assets.reports.report import INDEX_NAME
    from doc_assets.reports.result_files import CSV_NAME, SUMMARY_NAME, XLSX_NAME

    if results:
        columns = ("query", "risk", "finding", "best document", "photos matched", "score", "note")
        show_table(columns, (_row(result) for result in results))
        console().print(f"Results: {folder} ({INDEX_NAME}, {SUMMARY_NAME}, {CSV_NAME}, {XLSX_NAME})")
    if outcome.error:
        console().print(f"Run {outcome.run_id} failed: {outcome.error}")
        print_lacking(results)


def _row(result: "ResultRecord") -> Iterator[str]:
    """A query document with its best archive document."""
    from doc_assets.reports.wording import FINDINGS
    from doc_assets.search.completeness import beyond_reading

    best = result.top_docs[0] if result.top_docs else None
    notes = ["identical file"] if best and best.exact_duplicate else []
    notes += [result.error] if result.error else []
    notes += beyond_reading(result)[:_MOST_FAULTS]
    yield result.query_document
    yield "-" if result.risk_score is None else f"{result.risk_score:.2f}{' !' if result.flagged else ''}"
    yield FINDINGS[result.finding.kind].en if result.finding else "-"
    yield best.document if best else "-"
    yield f"{best.n_matched_photos} of {result.n_photos}" if best else "-"
    yield f"{best.score:.3f}" if best else "-"
    yield "; ".join(notes)
