"""Another embedder without a gap in searching: runs that fill a collection beside the one in use, then the switch."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from doc_assets.archive.ledger.collections import Collection, CollectionState
from doc_assets.cli.console import progress_bars
from doc_assets.cli.launch import fill_drop, switch_collection
from doc_assets.errors import ReindexError
from doc_assets.features.embedders.base import EmbedderSpec
from doc_assets.pipeline.rebuild import stale_drops
from doc_assets.pipeline.switching import remove_others
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets.util.progress import track


@dataclass(slots=True)
class ReindexReport:
    """What ``reindex`` did.

    Attributes:
        collection: that was filled or put in use.
        drops: drops that were filled into it.
        errors: what went wrong, by run; the collection in use stays as long as there is one.
        switched: what the switch said; None if there was none.
        queued: whether runs are left to ``reindex_sensor``.
    """

    collection: str
    drops: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    switched: dict[str, Any] | None = None
    queued: bool = False


class _Reindexing:
    """A home with one embedder."""

    def __init__(self, settings: Settings, spec: EmbedderSpec) -> None:
        self.runtime, self.spec = Runtime(settings, spec), spec
        self.versions = self.runtime.versions()

    def record(self, state: CollectionState) -> bool:
        """Files the collection in this state unless it is in use; returns whether it is."""
        name = self.versions.collection
        with self.runtime.archive() as archive:
            used = archive.ledger.collections.last("in_use")
            if used is not None and used.name == name:
                return True
            asked = Collection(name, self.spec.name, dict(self.spec.options), state, datetime.now(UTC))
            archive.ledger.collections.record(asked)
        return False

    def missing(self) -> list[str]:
        """Drops that the collection lacks, oldest first."""
        with self.runtime.archive() as archive:
            return stale_drops(archive.ledger, self.versions)

    def fill(self, report: ReindexReport) -> None:
        """Fills until no drop is missing, those that arrive meanwhile too; stops after a round with errors."""
        while missing := self.missing():
            for drop in track(missing, "drops", len(missing)):
                outcome = fill_drop(drop, self.spec)
                report.drops += 1
                if not outcome.succeeded:
                    report.errors[outcome.run_id] = outcome.error or f"failed: {', '.join(outcome.failed_checks)}"
            if report.errors:
                return

    def switch(self, report: ReindexReport, back_to: str = "") -> None:
        """Puts the collection in use."""
        outcome = switch_collection(self.spec, back_to)
        if outcome.error:
            report.errors[outcome.run_id] = outcome.error
        else:
            report.switched = outcome.value


def reindex(settings: Settings, spec: EmbedderSpec, *, queue: bool) -> ReindexReport:
    """Fills a collection with another embedder, examines it and puts it in use.

    Args:
        settings: of the home.
        spec: the embedder.
        queue: leave the runs to Dagster's daemon.

    Raises:
        SettingsError: if there is no such embedder.
        MissingModelError: if its weights are absent or damaged.
    """
    work = _Reindexing(settings, spec)
    report = ReindexReport(work.versions.collection)
    in_use = work.record("queued" if queue else "filling")
    if queue and not in_use:
        report.queued = True
        return report
    with progress_bars():
        work.fill(report)
        if not in_use and not report.errors:
            work.switch(report)
    return report


def roll_back(settings: Settings) -> ReindexReport:
    """Puts the collection that was in use before in use again, then fills what it lacks.

    Raises:
        ReindexError: if there is none.
    """
    with Runtime(settings).archive() as archive:
        previous = archive.ledger.collections.last("previous")
    if previous is None:
        raise ReindexError("No other collection was in use before; `doc-assets status` lists what there is.")
    work = _Reindexing(settings, EmbedderSpec(previous.embedder, previous.options))
    report = ReindexReport(previous.name)
    with progress_bars():
        work.switch(report, back_to=previous.name)
        if not report.errors:
            work.fill(report)
    return report


def remove_unused(settings: Settings) -> list[str]:
    """Deletes every collection but the one in use, with its vectors; returns their names."""
    runtime = Runtime(settings)
    with runtime.archive() as archive, runtime.store() as store:
        return remove_others(archive, store)
