"""``doc-assets retry-rejected``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.launch import ingest_drop
from doc_assets.errors import SettingsError
from doc_assets.faults import FaultCode
from doc_assets.settings import Settings
from doc_assets.util.progress import track


@dataclass(slots=True)
class RetryOutcome:
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


def retry_rejected(settings: Settings, drops: Sequence[str], codes: Sequence[str]) -> RetryOutcome:
    """Reads rejected documents again, for example after a limit was raised or a file was repaired.

    Args:
        settings: of the home.
        drops: of these drops only; none: of all.
        codes: rejected for these reasons only; none: for any.

    Raises:
        SettingsError: if a code or drop does not exist.
    """
    unknown = sorted(set(codes) - set(FaultCode))
    if unknown:
        raise SettingsError(f"There is no reason {', '.join(unknown)}; there are {', '.join(FaultCode)}.")
    with Ledger.open(settings.ledger_address, settings.forgotten_key) as ledger:
        missing = sorted(set(drops) - set(ledger.intake.drop_keys()))
        if missing:
            raise SettingsError(f"The ledger knows no drop {', '.join(missing)}.")
        concerned = ledger.documents.retry(list(drops) or None, list(codes) or None)
    outcome = RetryOutcome()
    with progress_bars():
        runs = [ingest_drop(drop) for drop in track(concerned, "drops", len(concerned))]
    outcome.errors = [f"Run {run.run_id} failed: {run.error}" for run in runs if run.error]
    with Ledger.open(settings.ledger_address) as ledger:
        now = [document for rows in concerned.values() for document in ledger.documents.with_row_ids(rows)]
    outcome.tried = len(now)
    outcome.states = dict(Counter(document.state for document in now))
    outcome.still_rejected = [
        (document.file_name, document.reason_code or "", document.reason or "")
        for document in now
        if document.state in {"rejected", "pending"}
    ]
    return outcome


def print_retry(outcome: RetryOutcome) -> None:
    """The outcome in words."""
    out = console()
    states = ", ".join(f"{n} {state}" for state, n in sorted(outcome.states.items())) or "none was rejected"
    out.print(f"{outcome.tried} documents read again: {states}.")
    for name, code, reason in outcome.still_rejected:
        out.print(f"  {name}: {code}: {reason}")
    for error in outcome.errors:
        out.print(error)
