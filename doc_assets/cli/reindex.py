"""``reindex``: another embedder without a gap in searching.

Runs fill a collection beside the one in use; then it is examined and put in use.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doc_assets.cli.console import console, progress_bars
from doc_assets.cli.shell import FAILED, AsJson, app, command, say
from doc_assets.errors import ReindexError
from doc_assets.util.progress import track

if TYPE_CHECKING:
    from doc_assets.archive.ledger.collections import CollectionState
    from doc_assets.features.embedders.base import EmbedderSpec
    from doc_assets.settings import Settings


@app.command(rich_help_panel="Archive")
def reindex(
    embedder: Annotated[str, typer.Option(help="gist or transformers. Default: DOC_ASSETS_EMBEDDER.")] = "",
    options: Annotated[
        str, typer.Option(help='Its options as JSON: {"checkpoint": "dinov2-small"}. Default with --embedder: none.')
    ] = "",
    queue: Annotated[
        bool, typer.Option("--queue", help="Leave it to the daemon: a run a drop, then the switch.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Use the collection before again, at once.")] = False,
    remove_unused: Annotated[
        bool, typer.Option("--remove-unused", help="Delete every collection but the one in use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change the embedder: fill another collection beside the one in use, examine it, switch; back with --rollback."""
    if sum([bool(embedder or options or queue), rollback, remove_unused]) > 1:
        raise typer.BadParameter("--rollback and --remove-unused go with nothing else.")
    with command() as settings:
        if remove_unused:
            names = _remove_unused(settings)
            in_words = "\n".join(f"Deleted {name}." for name in names)
            in_words = in_words or "There is no collection but the one in use."
            say({"removed": names}, lambda: console().print(in_words), as_json=as_json)
            return
        spec = _embedder_asked(settings, embedder, options)
        report = _roll_back(settings) if rollback else _reindex(settings, spec, queue=queue)
        say(report, lambda: _print_report(report), as_json=as_json)
        if report.errors:
            raise typer.Exit(FAILED)


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


def _embedder_asked(settings: "Settings", name: str, options: str) -> "EmbedderSpec":
    """The embedder of the options, else that of the settings."""
    from doc_assets.features.embedders.base import EmbedderSpec
    from doc_assets.runtime import embedder_of_settings

    default = embedder_of_settings(settings)
    if not name and not options:
        return default
    try:
        given = json.loads(options or "{}")
    except ValueError as error:
        raise typer.BadParameter(f"--options is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise typer.BadParameter(f"--options must be a JSON object, got {options}")
    return EmbedderSpec(name or default.name, given)


class _Reindexing:
    """A home with one embedder.

    Raises:
        SettingsError: if there is no such embedder.
        MissingModelError: if its weights are absent or damaged.
    """

    def __init__(self, settings: "Settings", spec: "EmbedderSpec") -> None:
        from doc_assets.runtime import Runtime

        self.runtime, self.spec = Runtime(settings, spec), spec
        self.versions = self.runtime.versions()

    def record(self, state: "CollectionState") -> bool:
        """Files the collection in this state unless it is in use; returns whether it is."""
        from doc_assets.archive.ledger.collections import Collection

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
        from doc_assets.pipeline.rebuild import stale_drops

        with self.runtime.archive() as archive:
            return stale_drops(archive.ledger, self.versions)

    def fill(self, report: ReindexReport) -> None:
        """Fills until no drop is missing, those that arrive meanwhile too; stops after a round with errors."""
        from doc_assets.cli.launch import fill_drop

        while not report.errors and (missing := self.missing()):
            for drop in track(missing, "drops", len(missing)):
                outcome = fill_drop(drop, self.spec)
                report.drops += 1
                if not outcome.succeeded:
                    report.errors[outcome.run_id] = outcome.error or f"failed: {', '.join(outcome.failed_checks)}"

    def switch(self, report: ReindexReport, back_to: str = "") -> None:
        """Puts the collection in use."""
        from doc_assets.cli.launch import switch_collection

        outcome = switch_collection(self.spec, back_to)
        if outcome.error:
            report.errors[outcome.run_id] = outcome.error
        else:
            report.switched = outcome.value


def _reindex(settings: "Settings", spec: "EmbedderSpec", *, queue: bool) -> ReindexReport:
    """Fills a collection with another embedder, examines it and puts it in use; ``queue`` leaves that to the daemon."""
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


def _roll_back(settings: "Settings") -> ReindexReport:
    """Puts the collection that was in use before in use again, then fills what it lacks.

    Raises:
        ReindexError: if there is none.
    """
    from doc_assets.features.embedders.base import EmbedderSpec
    from doc_assets.runtime import Runtime

    with Runtime(settings).archive() as archive:
        previous = archive.ledger.collections.last("previous")
    if previous is None:
        raise ReindexError("No other collection was in use before; `doc-assets status` lists what there is.")
    work = _Reindexing(settings, EmbedderSpec(previous.embedder, previous.options))
    report = ReindexReport(previous.name)
    with progress_bars():
        work.switch(report, back_to=previous.name)
        work.fill(report)
    return report


def _remove_unused(settings: "Settings") -> list[str]:
    """Deletes every collection but the one in use, with its vectors; returns their names."""
    from doc_assets.pipeline.switching import remove_others
    from doc_assets.runtime import Runtime

    runtime = Runtime(settings)
    with runtime.archive() as archive, runtime.store() as store:
        return remove_others(archive, store)


def _print_report(report: ReindexReport) -> None:
    out, done = console(), report.switched
    for run, error in report.errors.items():
        out.print(f"Run {run} failed: {error}")
    if report.queued:
        out.print(
            f"{report.collection} is asked for. reindex_sensor fills it; `doc-assets status` shows how far it is."
        )
        return
    out.print(f"{report.drops} drops were filled into {report.collection}.")
    if done is None:
        out.print("Searches go on as before." if report.errors else "It is the collection in use.")
        return
    out.print(f"In use now: {done['collection']}, {done['photos']} photos; before: {done['before'] or 'none'}.")
    if not done["similarity_counts"]:
        out.print(
            "The pair model was fitted with another embedder: pairs that keypoints cannot decide do not count. Fit one "
            "(`doc-assets fit-probability`) and name it in DOC_ASSETS_PROBABILITY_MODEL."
        )
    if done["planted"] is not None:
        than = f" (before: {done['planted_before']})" if done["planted_before"] else ""
        out.print(f"Attacked copies found: {done['planted']}{than}. Search graph: {done['graph_recall']:.3f}.")
        out.print("Back with `doc-assets reindex --rollback`; `--remove-unused` deletes the collection before.")
