"""``doc-assets screen``."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.launch import RunOutcome, screen_drop
from doc_assets.errors import SettingsError
from doc_assets.reports.report import INDEX_NAME
from doc_assets.settings import Settings
from doc_assets.util.progress import track


def screen_drops(settings: Settings, drops: Sequence[str], *, everything: bool) -> bool:
    """Screens drops against the archive as it is now and prints where their reports are.

    Returns:
        Whether no run failed.

    Raises:
        SettingsError: if a drop is not in the ledger, or there is none.
    """
    with Ledger.open(settings.ledger_address) as ledger:
        known = ledger.intake.drop_keys()
    unknown = sorted(set(drops) - set(known))
    if unknown:
        raise SettingsError(
            f"The ledger knows no drop {', '.join(unknown)}; it knows {', '.join(known[-5:]) or 'none'}."
        )
    wanted = known if everything else [key for key in known if key in set(drops)]
    if not wanted:
        raise SettingsError("There is no drop to screen; name one with --drop, or take --all.")
    with progress_bars():
        outcomes = [screen_drop(key) for key in track(wanted, "drops", len(wanted))]
    _print(settings, wanted, outcomes)
    return all(outcome.succeeded for outcome in outcomes)


def _print(settings: Settings, drops: Sequence[str], outcomes: Sequence[RunOutcome]) -> None:
    table = Table("drop", "documents", "flagged", "report")
    for key, outcome in zip(drops, outcomes, strict=True):
        if outcome.error:
            console().print(f"Run {outcome.run_id} failed: {outcome.error}")
            continue
        for name, said in zip(outcome.failed_checks, outcome.said, strict=True):
            console().print(f"Drop {key}: the check {name} failed. {said}")
        with Ledger.open(settings.ledger_address) as ledger:
            results = ledger.searches.results(search_id_of(key))
        flagged = sum(result.flagged for result in results)
        report: Path = settings.results_dir / "drops" / key / INDEX_NAME
        table.add_row(key, str(len(results)), str(flagged), str(report))
    console().print(table)
