"""Commands that fill the archive, and compare what came with what is there."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, print_lines, progress_bars, show_table
from doc_assets.cli.printing import print_date_faults, print_key_problems
from doc_assets.cli.shell import FAILED, ApiUrl, Folder, KeyTable, SearchRoots, absolute, app, command
from doc_assets.util.progress import track

if TYPE_CHECKING:
    from doc_assets.archive.ledger.results import ResultRecord
    from doc_assets.archive.ledger.rows import Document
    from doc_assets.cli.launch import RunOutcome
    from doc_assets.pipeline.sealing import SourceIntake
    from doc_assets.settings import Settings
    from doc_assets.sources.open_sources import SourceRequest
    from doc_assets.sources.sources import KeyProblem

_MAX_LISTED = 50
_MAX_IGNORED = 10


@app.command("index", short_help="Short for build-image-index.", rich_help_panel="Archive")
@app.command(rich_help_panel="Archive")
def build_image_index(
    folder: Folder = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    api_url: ApiUrl = "",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Keys without a document are reported, but are no failure.")
    ] = False,
    force_rebuild: Annotated[
        bool,
        typer.Option("--force-rebuild", help="Read, cut, embed and index again what is up to date."),
    ] = False,
) -> None:
    """Ingest a folder or the documents of a key table: documents, photos, embeddings, search index."""
    from doc_assets.sources.open_sources import SourceRequest

    asked = SourceRequest(folder or "", recursive, absolute(key_table), tuple(search_root), api_url)
    with command() as settings:
        intake, outcomes = _ingest(settings, asked, force_rebuild=force_rebuild)
        arrivals = _arrivals(settings, intake)
        _print_intake(intake, list(arrivals.values()))
        _print_left_out(intake, asked, outcomes)
        if intake.nothing and asked.folder:
            console().print(f"{intake.nothing} Nothing was ingested.")
            raise typer.Exit(FAILED)
        accounted = len(arrivals) == len(set(intake.origins)) and not intake.forgotten
        accounted = accounted and not _missing(intake.problems, allow_missing=allow_missing)
        clean = all(document.state in {"ok", "duplicate"} for document in arrivals.values())
        if not (accounted and clean and all(outcome.succeeded for outcome in outcomes)):
            raise typer.Exit(FAILED)


def _ingest(
    settings: "Settings", asked: "SourceRequest", *, force_rebuild: bool
) -> "tuple[SourceIntake, list[RunOutcome]]":
    """Seals what is new in a source and runs its drops up to the searchable collection."""
    from doc_assets.cli.launch import ingest_drop
    from doc_assets.pipeline.rebuild import discard_results
    from doc_assets.pipeline.sealing import seal_request, sealing_rules
    from doc_assets.runtime import Runtime

    runtime = Runtime(settings)
    rules = replace(sealing_rules(runtime), read_all=force_rebuild)
    with runtime.archive() as archive:
        intake = seal_request(archive, runtime.source_rules, asked, datetime.now(UTC), rules)
        if force_rebuild:
            discard_results(archive.ledger, archive.bulk, intake.drops)
    with progress_bars():
        return intake, [ingest_drop(drop) for drop in track(intake.drops, "drops", len(intake.drops))]


def _arrivals(settings: "Settings", intake: "SourceIntake") -> "dict[str, Document]":
    from doc_assets.archive.ledger.ledger import Ledger

    with Ledger.open(settings.ledger_address, settings.forgotten_key) as ledger:
        return ledger.documents.arrivals_at(intake.origins)


def _missing(problems: "Iterable[KeyProblem]", *, allow_missing: bool) -> "list[KeyProblem]":
    """A row that cannot be used is no key without a document: nobody knows what it names."""
    from doc_assets.sources.key_lookup import KeyState

    return [p for p in problems if not (allow_missing and p.is_of_table and p.state is not KeyState.UNUSABLE)]


def _print_intake(intake: "SourceIntake", documents: "list[Document]") -> None:
    states = Counter(document.state for document in documents)
    photos = sum(document.n_photos or 0 for document in documents if document.is_current)
    console().print(
        f"{intake.source}: {len(set(intake.origins))} documents, {len(intake.sealed)} new drops; "
        + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
        + f"; {photos} photos."
    )
    print_lines(intake.notes)
    print_key_problems(intake.problems)
    print_date_faults(intake.date_faults)
    if intake.described:
        n = len(intake.described)
        console().print(f"{n} documents of before have another merchant, date or key table fields now.")
    _print_faulty([document for document in documents if document.state in {"rejected", "partial", "pending"}])


def _print_faulty(documents: "Sequence[Document]") -> None:
    if not documents:
        return
    rows = [(each.file_name, each.state, each.reason_code, each.reason) for each in documents[:_MAX_LISTED]]
    show_table(("document", "state", "code", "reason"), rows)
    if len(documents) > _MAX_LISTED:
        console().print(f"... and {len(documents) - _MAX_LISTED} more; `doc-assets status` counts them.")


def _print_left_out(intake: "SourceIntake", asked: "SourceRequest", outcomes: "Sequence[RunOutcome]") -> None:
    """What failed, and what was not taken."""
    out = console()
    for outcome in outcomes:
        if outcome.error:
            out.print(f"Run {outcome.run_id} failed: {outcome.error}")
        for name, said in zip(outcome.failed_checks, outcome.said, strict=True):
            out.print(f"Run {outcome.run_id}: the check {name} failed. {said}")
    if intake.forgotten:
        out.print(
            f"{len(intake.forgotten)} documents were forgotten and are not taken again: "
            f"{', '.join(intake.forgotten[:10])}. `doc-assets forget --allow DOCUMENT` lets them in."
        )
    if intake.ignored.n:
        out.print(f"{intake.ignored.named(_MAX_IGNORED, asked.folder)}.")


@app.command(rich_help_panel="Archive")
def screen(
    drop: Annotated[list[str] | None, typer.Option(help="Key of a drop; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every drop.")] = False,
) -> None:
    """Compare the documents of drops with the whole archive as it is now, and write their reports."""
    with command() as settings:
        outcomes = _screen(_drops_to_screen(settings, drop or [], everything=everything))
        _print_screened(settings, outcomes)
        if not all(outcome.succeeded for outcome in outcomes.values()):
            raise typer.Exit(FAILED)


def _screen(drops: Sequence[str]) -> "dict[str, RunOutcome]":
    from doc_assets.cli.launch import screen_drop

    with progress_bars():
        return {key: screen_drop(key) for key in track(drops, "drops", len(drops))}


def _drops_to_screen(settings: "Settings", drops: Sequence[str], *, everything: bool) -> list[str]:
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.errors import SettingsError

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
    return wanted


def _print_screened(settings: "Settings", outcomes: "dict[str, RunOutcome]") -> None:
    from doc_assets.archive.ledger.ledger import Ledger
    from doc_assets.archive.ledger.searches import search_id_of
    from doc_assets.reports.report import INDEX_NAME

    rows = []
    for key, outcome in outcomes.items():
        with Ledger.open(settings.ledger_address) as ledger:
            results = ledger.searches.results(search_id_of(key))
        if outcome.error:
            console().print(f"Run {outcome.run_id} failed: {outcome.error}")
            _print_lacking(results)
            continue
        for name, said in zip(outcome.failed_checks, outcome.said, strict=True):
            console().print(f"Drop {key}: the check {name} failed. {said}")
        flagged = sum(result.flagged for result in results)
        rows.append((key, len(results), flagged, settings.results_dir / "drops" / key / INDEX_NAME))
    show_table(("drop", "documents", "flagged", "report"), rows)


def _print_lacking(results: "Sequence[ResultRecord]") -> None:
    """The documents that the error of a run gives by their places, by name; nothing if there are none."""
    from doc_assets.search.faults import all_in_words

    lacking = [each for each in results if each.faults and each.state != "rejected"]
    rows = [(each.position + 1, each.query_document, all_in_words(each.faults)) for each in lacking]
    if rows:
        show_table(("place", "document", "lacks"), rows[:_MAX_LISTED])
