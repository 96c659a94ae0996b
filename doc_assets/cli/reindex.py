"""``reindex``."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console
from doc_assets.cli.shell import FAILED, AsJson, app, command, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doc_assets.cli.reindexing import ReindexReport
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
    asked = [bool(embedder or options or queue), rollback, remove_unused]
    if sum(asked) > 1:
        raise typer.BadParameter("--rollback and --remove-unused go with nothing else.")
    with command() as settings:
        from doc_assets.cli import reindexing

        if remove_unused:
            names = reindexing.remove_unused(settings)
            say({"removed": names}, lambda: _print_removed(names), as_json=as_json)
            return
        spec = _embedder_asked(settings, embedder, options)
        report = reindexing.roll_back(settings) if rollback else reindexing.reindex(settings, spec, queue=queue)
        say(report, lambda: _print_report(report), as_json=as_json)
        if report.errors:
            raise typer.Exit(FAILED)


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


def _print_report(report: "ReindexReport") -> None:
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


def _print_removed(names: "Sequence[str]") -> None:
    console().print("\n".join(f"Deleted {name}." for name in names) or "There is no collection but the one in use.")
