"""Commands that fill the archive, and compare what came with what is there."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import (
    console,
    print_date_faults,
    print_key_problems,
    print_lacking,
    print_lines,
    progress_bars,
    show_table,
)
from doc_assets.cli.shell import (
    FAILED,
    ApiUrl,
    AsJson,
    Folder,
    KeyTable,
    SearchRoots,
    absolute,
    app,
    command,
    home_ledger,
    say,
)
from doc_assets.errors import SettingsError
from doc_assets.util.progress import track

if TYPE_CHECKING:
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
        bool, typer.Option("--force-rebuild", help="Read, cut, embed and index again what is up to date.")
    ] = False,
) -> None:
    """Ingest a folder or the documents of a key table: documents, photos, embeddings, search index."""
    with command() as settings:
        from doc_assets.sources.open_sources import SourceRequest

        asked = SourceRequest(folder or "", recursive, absolute(key_table), tuple(search_root), api_url)
        intake, outcomes = _ingest(settings, asked, force_rebuild=force_rebuild)
        with home_ledger(settings) as ledger:
            arrivals = ledger.documents.arrivals_at(intake.origins)
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
    faulty = [document for document in documents if document.state in {"rejected", "partial", "pending"}]
    if faulty:
        rows = ((each.file_name, each.state, each.reason_code, each.reason) for each in faulty[:_MAX_LISTED])
        show_table(("document", "state", "code", "reason"), rows)
    if len(faulty) > _MAX_LISTED:
        console().print(f"... and {len(faulty) - _MAX_LISTED} more; `doc-assets status` counts them.")


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
        drops = _drops_to_screen(settings, drop or [], everything=everything)
        from doc_assets.cli.launch import screen_drop

        with progress_bars():
            outcomes = {key: screen_drop(key) for key in track(drops, "drops", len(drops))}
        _print_screened(settings, outcomes)
        if not all(outcome.succeeded for outcome in outcomes.values()):
            raise typer.Exit(FAILED)


def _drops_to_screen(settings: "Settings", drops: Sequence[str], *, everything: bool) -> list[str]:
    with home_ledger(settings) as ledger:
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
    from doc_assets.archive.ledger.searches import search_id_of
    from doc_assets.reports.report import INDEX_NAME

    rows = []
    for key, outcome in outcomes.items():
        with home_ledger(settings) as ledger:
            results = ledger.searches.results(search_id_of(key))
        if outcome.error:
            console().print(f"Run {outcome.run_id} failed: {outcome.error}")
            print_lacking([each for each in results if each.state != "rejected"])
            continue
        for name, said in zip(outcome.failed_checks, outcome.said, strict=True):
            console().print(f"Drop {key}: the check {name} failed. {said}")
        flagged = sum(result.flagged for result in results)
        rows.append((key, len(results), flagged, settings.results_dir / "drops" / key / INDEX_NAME))
    show_table(("drop", "documents", "flagged", "report"), rows)


@dataclass(frozen=True, slots=True)
class _Retried:
    """What became of documents that were rejected.

    Attributes:
        tried: how many.
        states: what they are now.
        still_rejected: name, code and reason of those that are rejected again.
        errors: of runs that failed.
    """

    tried: int
    states: dict[str, int]
    still_rejected: list[tuple[str, str, str]]
    errors: list[str]


@app.command(rich_help_panel="Documents")
def retry_rejected(
    drop: Annotated[list[str] | None, typer.Option(help="Key of a drop; may be repeated. Default: all.")] = None,
    code: Annotated[list[str] | None, typer.Option(help="Reason, e.g. E_TIMEOUT; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read rejected documents again: from where they came, or from the copy if the file is gone."""
    with command() as settings:
        outcome = _retry(settings, _concerned(settings, drop or [], code or []))
        say(outcome, lambda: _print_retried(outcome), as_json=as_json)
        if outcome.still_rejected or outcome.errors:
            raise typer.Exit(FAILED)


def _concerned(settings: "Settings", drops: Sequence[str], codes: Sequence[str]) -> dict[str, list[int]]:
    """Marks what is to be read again; its rows by drop. No drop or code means any."""
    from doc_assets.faults import FaultCode

    unknown = sorted(set(codes) - set(FaultCode))
    if unknown:
        raise SettingsError(f"There is no reason {', '.join(unknown)}; there are {', '.join(FaultCode)}.")
    with home_ledger(settings) as ledger:
        missing = sorted(set(drops) - set(ledger.intake.drop_keys()))
        if missing:
            raise SettingsError(f"The ledger knows no drop {', '.join(missing)}.")
        return ledger.documents.retry(list(drops) or None, list(codes) or None)


def _retry(settings: "Settings", concerned: dict[str, list[int]]) -> _Retried:
    from doc_assets.cli.launch import ingest_drop

    with progress_bars():
        runs = [ingest_drop(drop) for drop in track(concerned, "drops", len(concerned))]
    with home_ledger(settings) as ledger:
        now = [document for rows in concerned.values() for document in ledger.documents.with_row_ids(rows)]
    return _Retried(
        len(now),
        dict(Counter(document.state for document in now)),
        [
            (document.file_name, document.reason_code or "", document.reason or "")
            for document in now
            if document.state in {"rejected", "pending"}
        ],
        [f"Run {run.run_id} failed: {run.error}" for run in runs if run.error],
    )


def _print_retried(outcome: _Retried) -> None:
    out = console()
    states = ", ".join(f"{n} {state}" for state, n in sorted(outcome.states.items())) or "none was rejected"
    out.print(f"{outcome.tried} documents read again: {states}.")
    for name, code, reason in outcome.still_rejected:
        out.print(f"  {name}: {code}: {reason}")
    for error in outcome.errors:
        out.print(error)
