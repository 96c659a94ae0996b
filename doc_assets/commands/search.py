"""``doc-assets search-doc``."""

from pathlib import Path
from typing import Any

from rich.table import Table

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.launch import RunOutcome, search
from doc_assets.commands.resolve import print_lines
from doc_assets.defs.sources import sources_from
from doc_assets.errors import SettingsError
from doc_assets.reports.report import INDEX_NAME
from doc_assets.reports.result_files import CSV_NAME, SUMMARY_NAME, XLSX_NAME
from doc_assets.reports.wording import FINDINGS
from doc_assets.search.faults import beyond_reading
from doc_assets.settings import Settings
from doc_assets.sources.keys import KeyTable

_MOST_FAULTS = 3


def search_folder(settings: Settings, config: dict[str, Any]) -> bool:
    """Searches and prints the best document of every query; returns whether all queries could be read."""
    outcome, results = run_search(settings, config)
    out = console()
    if config.get("key_table"):
        print_lines(_table_report(settings, Path(config["key_table"])))
    if results:
        out.print(ranking_table(results))
        out.print(f"Results: {config['output_folder']} ({INDEX_NAME}, {SUMMARY_NAME}, {CSV_NAME}, {XLSX_NAME})")
    if outcome.error:
        out.print(f"Run {outcome.run_id} failed: {outcome.error}")
    return outcome.succeeded


def _table_report(settings: Settings, table: Path) -> list[str]:
    """What is to be said of the key table of a search; nothing if it cannot be read, which failed the run."""
    rules = sources_from(settings).rules()
    try:
        with KeyTable.read(table, rules.layout, rules.naming) as read:
            return read.report
    except SettingsError:
        return []


def run_search(settings: Settings, config: dict[str, Any]) -> tuple[RunOutcome, list[ResultRecord]]:
    """Runs the search job; returns how it ended and what it recorded."""
    with progress_bars():
        outcome = search(config)
    with Ledger.open(settings.ledger_address) as ledger:
        return outcome, ledger.searches.results(outcome.run_id)


def ranking_table(results: list[ResultRecord]) -> Table:
    """One line a query document with its best archive document."""
    table = Table("query", "risk", "finding", "best document", "photos matched", "score", "note")
    for result in results:
        best = result.top_docs[0] if result.top_docs else None
        notes = ["identical file"] if best and best.exact_duplicate else []
        notes += [result.error] if result.error else []
        notes += beyond_reading(result)[:_MOST_FAULTS]
        table.add_row(
            result.query_document,
            _risk(result),
            FINDINGS[result.finding.kind].en if result.finding else "-",
            best.document if best else "-",
            f"{best.n_matched_photos} of {result.n_photos}" if best else "-",
            f"{best.score:.3f}" if best else "-",
            "; ".join(notes),
        )
    return table


def _risk(result: ResultRecord) -> str:
    if result.risk_score is None:
        return "-"
    return f"{result.risk_score:.2f}{' !' if result.flagged else ''}"
