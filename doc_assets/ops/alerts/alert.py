"""What an alert says."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

_SENDER = "doc_assets"


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A failed run. Messages of errors stay out: they name documents and folders.

    Attributes:
        run_id: in Dagster.
        job: its name.
        failed_at: when.
        partition: the drop's key; None for a job without drops.
        step: the first step that failed; None if the run ended before or between steps.
        error_class: kind of error of that step; None if the run's process died.
        is_retried: whether Dagster starts the run again by itself.
    """

    run_id: str
    job: str
    failed_at: datetime
    partition: str | None = None
    step: str | None = None
    error_class: str | None = None
    is_retried: bool = False


def failure_alert(failure: RunFailure, ui_url: str) -> dict[str, Any]:
    """The JSON object for a failed run; ``text`` is a line for people, which chat systems show."""
    drop = f" of drop {failure.partition}" if failure.partition else ""
    where = f" in step {failure.step}" if failure.step else ""
    why = f": {failure.error_class}" if failure.error_class else ": its process ended"
    link = f"{ui_url.rstrip('/')}/runs/{failure.run_id}" if ui_url else None
    text = f"{_SENDER}: {failure.job}{drop} failed{where}{why}." + (" It is tried again." if failure.is_retried else "")
    fields = {**asdict(failure), "failed_at": failure.failed_at.astimezone(UTC).isoformat(timespec="seconds")}
    return {"sender": _SENDER, "kind": "run_failed", "text": text, **fields, "link": link}


def trial_alert(now: datetime) -> dict[str, Any]:
    """What is sent to try the way."""
    return {
        "sender": _SENDER,
        "kind": "test",
        "text": f"{_SENDER}: this is a test of alerts; nothing failed.",
        "sent_at": now.astimezone(UTC).isoformat(timespec="seconds"),
    }
