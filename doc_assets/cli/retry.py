"""``retry-rejected``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, AsJson, app, command, say
from doc_assets.util.progress import track

if TYPE_CHECKING:
    from doc_assets.settings import Settings


@dataclass(slots=True)
class _Outcome:
    """What became of documents that were rejected.

    Attributes:
        tried: how many.
        states: what they are now.
        still_rejected: name, code and reason of those that are rejected again.
        errors: of runs that failed.
    """

    tried: int = 0
    states: dict[str, int] = field(default_factory=dict)
    still_rejected: list[tuple[str, str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether every document was read."""
        return not self.still_rejected and not self.errors


@app.command(rich_help_panel="Documents")
def retry_rejected(
    drop: Annotated[list[str] | None, typer.Option(help="Key of a drop; may be repeated. Default: all.")] = None,
    code: Annotated[list[str] | None, typer.Option(help="Reason, e.g. E_TIMEOUT; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read rejected documents again: from where they came, or from the copy if the file is gone."""
    with command() as settings:
        outcome = _retry(settings, _concerned(settings, drop or [], code or []))
        say(outcome, lambda: _print_outcome(outcome), as_json=as_json)
        if not outcome.succeeded:
            raise typer.Exit(FAILED)


def _concerned(settings: "Settings", drops: Sequence[str], codes: Sequence[str]) -> dict[str, list[int]]:
    """Marks what is to be read again; its rows by drop. No drop or code means any."""
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.errors import SettingsError
    from doc_assets.faults import FaultCode

    unknown = sorted(set(codes) - set(FaultCode))
    if unknown:
        raise SettingsError(f"There is no reason {', '.join(unknown)}; there are {', '.join(FaultCode)}.")
    with Ledger.open(settings.ledger_address, settings.forgotten_key) as ledger:
        missing = sorted(set(drops) - set(ledger.intake.drop_keys()))
        if missing:
            raise SettingsError(f"The ledger knows no drop {', '.join(missing)}.")
        return ledger.documents.retry(list(drops) or None, list(codes) or None)


def _retry(settings: "Settings", concerned: dict[str, list[int]]) -> _Outcome:
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.cli.launch import ingest_drop

    with progress_bars():
        runs = [ingest_drop(drop) for drop in track(concerned, "drops", len(concerned))]
    with Ledger.open(settings.ledger_address) as ledger:
        now = [document for rows in concerned.values() for document in ledger.documents.with_row_ids(rows)]
    return _Outcome(
        len(now),
        dict(Counter(document.state for document in now)),
        [
            (document.file_name, document.reason_code or "", document.reason or "")
            for document in now
            if document.state in {"rejected", "pending"}
        ],
        [f"Run {run.run_id} failed: {run.error}" for run in runs if run.error],
    )


def _print_outcome(outcome: _Outcome) -> None:
    out = console()
    states = ", ".join(f"{n} {state}" for state, n in sorted(outcome.states.items())) or "none was rejected"
    out.print(f"{outcome.tried} documents read again: {states}.")
    for name, code, reason in outcome.still_rejected:
        out.print(f"  {name}: {code}: {reason}")
    for error in outcome.errors:
        out.print(error)
