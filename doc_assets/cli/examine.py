"""Commands that look into documents and key tables: why two match, which photos, pages and files there are."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, print_date_faults, print_lines, progress_bars, show_table
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

if TYPE_CHECKING:
    from doc_assets.archive.archive import Archive
    from doc_assets.archive.ledger.rows import Document
    from doc_assets.pipeline.explain import Explanation, KeptQuery, PairExplanation
    from doc_assets.reading.sandbox import DocumentReader
    from doc_assets.reading.text.finder import PageFinder
    from doc_assets.reports.extraction import ExtractedDocument
    from doc_assets.reports.found_pages import PageRow
    from doc_assets.reports.resolved_keys import ResolveReport
    from doc_assets.runtime import Runtime
    from doc_assets.search.query import QueryDocument
    from doc_assets.settings import Settings
    from doc_assets.sources.open_sources import SourceRequest

_REASONS = {
    "matched": "matched",
    "other_shot": "not matched: another shot of the same scene, parts of which lie off one plane",
    "shared_thing": "not matched: the same printed thing in two photos that differ around it",
    "form_picture": "not matched: a picture of the form, a code or flat graphics in both",
    "cannot_tell": "not matched: the same photo or another shot of the scene, it cannot be told",
    "not_retrieved": "not matched: a search does not see the pair, it is not among the nearest by vector or words",
    "no_alignment": "not matched: too few keypoints agree on one transform, and similarity alone does not suffice",
    "not_alike": "not matched: keypoints agree, but the overlap does not look alike, as of two shots of one place",
    "replaced": "the archive's photo was replaced by a newer version meanwhile",
}


@app.command(rich_help_panel="Documents")
def explain(
    query: Annotated[str, typer.Argument(help="A file, or the id of a document of the archive.")],
    candidate: Annotated[str, typer.Argument(help="Id of a document of the archive.")],
    picture: Annotated[
        Path | None, typer.Option(dir_okay=False, help="PNG file for a picture of the most probable pair.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say of every photo pair of two documents why it was matched or was not."""
    with command() as settings:
        found = _explain(settings, query, candidate, picture)
        say(found, lambda: _print_explanation(found), as_json=as_json)


def _explain(settings: "Settings", query: str, candidate: str, picture: Path | None) -> "Explanation":
    """Compares a file or an archived document with an archived one, as a search would."""
    from doc_assets.archive.photo_lookup import ArchivePictures
    from doc_assets.pipeline.explain import KeptPictures, KeptQuery, archived_document, draw_first, explanation_of
    from doc_assets.runtime import Runtime

    runtime, kept = Runtime(settings), KeptQuery()
    with runtime.archive() as archive, runtime.reader() as reader, progress_bars():
        other = archived_document(archive, candidate)
        asked = _asked(runtime, archive, reader, query, kept)
        pairs = _pairs(runtime, archive, asked, other)
        found = explanation_of(runtime.labeller(archive.ledger), asked, other, pairs)
        if picture is not None:
            archived = ArchivePictures(archive, reader)
            queries = KeptPictures(kept) if Path(query).is_file() else archived
            draw_first(picture, pairs, (asked.file_name, other.file_name), queries, archived)
    return found


def _asked(
    runtime: "Runtime", archive: "Archive", reader: "DocumentReader", query: str, kept: "KeptQuery"
) -> "QueryDocument":
    """The query: a file, whose pictures are kept, or a document of the archive."""
    from doc_assets.pipeline.explain import archived_document
    from doc_assets.pipeline.stored_queries import StoredQueries
    from doc_assets.search.query import QueryReader
    from doc_assets.sources.sources import single_file

    embedder, describer = runtime.embedder(), runtime.describer()
    if not Path(query).is_file():
        stored = StoredQueries(archive, runtime.versions(), embedder, describer, reader.threads)
        return stored.of_document(archived_document(archive, query))
    cutter, texts, date_of = runtime.cutter(), archive.ledger.page_texts, archive.ledger.documents.date_of
    asking = QueryReader(reader, cutter, embedder, describer, texts, runtime.dates, date_of)
    return asking.read(single_file(Path(query), key_of=runtime.key_of()), kept)


def _pairs(
    runtime: "Runtime", archive: "Archive", asked: "QueryDocument", other: "Document"
) -> "list[PairExplanation]":
    from doc_assets.pipeline.explain import explain_pairs
    from doc_assets.search.completeness import published_collection, require_collection
    from doc_assets.search.matching import Verifier

    versions = runtime.versions()
    with runtime.store() as store:
        require_collection(archive.ledger, store, runtime.alias)
        return explain_pairs(
            archive,
            versions,
            store,
            published_collection(store, runtime.alias, versions.collection),
            Verifier.of(archive, versions.features_id, runtime.pair_model(versions.embedder_id)),
            runtime.request(),
            asked,
            other,
        )


def _print_explanation(found: "Explanation") -> None:
    from doc_assets.pipeline.explain import RANKS

    out = console()
    out.print(f"{found.query} against {found.candidate}: {len(found.pairs)} photo pairs.")
    out.print(f"  dated {found.dates[0]} and {found.dates[1]}")
    for note in (*found.notes, *found.reasons):
        out.print(f"  {note}")
    if not found.pairs:
        return
    columns = ("query photo", "photo", "similarity", "rank", "inliers", "agreement", "probability", "done", "verdict")
    show_table(columns, (_row(pair) for pair in found.pairs))
    out.print(f"Rank: place among the query photo's neighbours by vector / by words; - is beyond {RANKS}.")


def _row(pair: "PairExplanation") -> Iterator[str]:
    from doc_assets.reports.wording import said_of

    seen = pair.entry
    yield str(pair.query_photo + 1)
    yield str(pair.photo + 1)
    yield f"{seen.similarity:.3f}" if seen else "-"
    yield f"{pair.vector_rank or '-'} / {pair.words_rank or '-'}"
    yield str(seen.inliers) if seen else "-"
    yield f"{seen.overlap.agreement:.2f}" if seen and seen.overlap else "-"
    yield f"{seen.probability:.3f}" if seen and seen.probability is not None else "-"
    yield ", ".join(text.en for text in said_of(seen)) if seen and seen.is_shown else ""
    yield _REASONS[pair.reason]


@app.command(rich_help_panel="Documents")
def extract_photos(
    output_folder: Annotated[Path, typer.Option(file_okay=False, help="Where photos and photos.json are written.")],
    folder: Annotated[Path | None, typer.Option(exists=True, file_okay=False, help="Folder of documents.")] = None,
    file: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A document; may be repeated.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
) -> None:
    """Cut the photos of documents into JPEG files; nothing is archived."""
    if folder is None and not file:
        raise typer.BadParameter("name a --folder or at least one --file")
    with command() as settings:
        found = _extract(settings, folder, file or [], output_folder, recursive=recursive)
        _print_extracted(found, output_folder)
        if any(document.error is not None for document in found):
            raise typer.Exit(FAILED)


def _extract(
    settings: "Settings", folder: Path | None, files: Sequence[Path], output: Path, *, recursive: bool
) -> "list[ExtractedDocument]":
    from doc_assets.reports.extraction import extract_photos as extract
    from doc_assets.runtime import Runtime
    from doc_assets.search.run import query_files
    from doc_assets.sources.open_sources import SourceRequest

    runtime = Runtime(settings)
    asked = SourceRequest(str(folder or ""), recursive)
    with runtime.sources(asked, files_are_named=bool(files)) as opened, runtime.reader() as reader, progress_bars():
        return extract(reader, runtime.cutter(), query_files(opened.sources, files), output)


def _print_extracted(found: "Sequence[ExtractedDocument]", output: Path) -> None:
    from doc_assets.reports.extraction import LIST_NAME

    photos = sum(len(document.photos) for document in found)
    console().print(f"{len(found)} documents, {photos} photos in {output} ({LIST_NAME} says where they stood).")
    for document in found:
        if document.error is not None:
            console().print(f"  {document.document}: {document.state}: {document.error}")


@app.command(rich_help_panel="Documents")
def resolve_keys(
    key_table: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Key table (.xlsx, .csv, .tsv, .json, .ndjson).")
    ],
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    manifest: Annotated[Path | None, typer.Option(dir_okay=False, help="Write every key with its files there.")] = None,
    rebuild_index: Annotated[
        bool, typer.Option("--rebuild-index", help="List every archive folder again, changed or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which files the keys of a table name, without reading any; exit 1 if a key has none or two answers."""
    with command() as settings:
        from doc_assets.reports.resolved_keys import resolve_keys as resolve
        from doc_assets.runtime import Runtime

        runtime = Runtime(settings)
        report = resolve(runtime.source_rules, runtime.dates, key_table, search_root, manifest, rebuild=rebuild_index)
        say(report, lambda: _print_resolved(report, key_table), as_json=as_json)
        if not report.clean:
            raise typer.Exit(FAILED)


def _print_resolved(report: "ResolveReport", key_table: Path) -> None:
    states = ", ".join(f"{n} {state}" for state, n in report.states.items()) or "none"
    console().print(
        f"{key_table}: {report.rows} rows, {report.keys} keys ({report.repeated} repeated): {states}; "
        f"{report.files} files, {report.n_faults} rows cannot be used."
    )
    print_lines([f"{report.summary}.", *(f"Note: {note}" for note in report.notes)])
    _print_rows("unusable", report.faults, report.n_faults)
    _print_rows("suspicious", report.suspicious, report.n_suspicious)
    print_date_faults(report.date_faults, report.n_date_faults)
    if report.problems:
        columns = ("key", "line", "state", "reason")
        show_table(columns, ([problem[name] for name in columns] for problem in report.problems))


def _print_rows(what: str, listed: Sequence[str], total: int) -> None:
    print_lines([f"  {what}, {line}" for line in listed])
    if total > len(listed):
        print_lines([f"  ... and {total - len(listed)} more; --manifest lists all that cannot be used."])


@app.command(rich_help_panel="Documents")
def find_pages(
    folder: Folder = None,
    text: Annotated[
        str | None, typer.Option(help="What pages must carry. Default: DOC_ASSETS_PAGE_TEXT_WANTED.")
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Look into subfolders too.")] = False,
    key_table: KeyTable = None,
    search_root: SearchRoots = [],  # noqa: B006 - Typer wants the default here
    api_url: ApiUrl = "",
    zone: Annotated[
        list[str] | None,
        typer.Option(help="top, bottom or centre=SHARE of the page's height; may be repeated, tried in turn."),
    ] = None,
    mode: Annotated[str | None, typer.Option(help="exact_phrase or all_words.")] = None,
    engine: Annotated[str | None, typer.Option(help="What reads text.")] = None,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="CSV file to write, one line a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the pages that carry a text, e.g. a title; exit 1 if a document or page could not be read."""
    with command() as settings:
        from doc_assets.reports.found_pages import write_pages
        from doc_assets.sources.open_sources import SourceRequest

        source = SourceRequest(folder or "", recursive, absolute(key_table), tuple(search_root), api_url)
        rows = _pages_found(settings, source, _page_finder(settings, text, zone, mode, engine))
        if report is not None:
            write_pages(rows, report)
        say(rows, lambda: _print_pages(rows), as_json=as_json)
        if any(row.error for row in rows):
            raise typer.Exit(FAILED)


def _page_finder(
    settings: "Settings", text: str | None, zones: list[str] | None, mode: str | None, engine: str | None
) -> "PageFinder":
    """What looks for the text; what is None is as the settings ``page_text_...`` say."""
    from doc_assets.reading.text.finder import make_finder

    other_engine = engine not in {None, settings.page_text_engine}
    return make_finder(
        wanted=text if text is not None else settings.page_text_wanted,
        mode=mode or settings.page_text_mode,
        max_errors=settings.page_text_max_errors,
        zones=zones or settings.page_text_zones,
        engine=engine or settings.page_text_engine,
        engine_options={} if other_engine else settings.page_text_engine_options,
        timeout_s=settings.page_text_timeout_s,
    )


def _pages_found(settings: "Settings", asked: "SourceRequest", finder: "PageFinder") -> "list[PageRow]":
    """The pages; the ledger remembers what was read."""
    from doc_assets.reports.found_pages import find_pages as find
    from doc_assets.runtime import Runtime

    runtime = Runtime(settings)
    with progress_bars(), home_ledger(settings) as ledger, runtime.sources(asked) as opened, runtime.reader() as reader:
        return find(reader, finder, ledger.page_texts, opened.source)


def _print_pages(rows: "Sequence[PageRow]") -> None:
    carrying = (
        (row.document, row.page, row.text, f"{row.confidence or 0:.2f}", row.zone, f"{90 * (row.quarter_turns or 0)}°")
        for row in rows
        if row.found
    )
    show_table(("document", "page", "text", "confidence", "zone", "turn"), carrying)
    for row in rows:
        if row.error:
            console().print(f"{row.document}{f', page {row.page}' if row.page else ''}: {row.error}")
    looked = [row for row in rows if row.found is not None]
    console().print(f"{sum(bool(row.found) for row in looked)} of {len(looked)} pages carry the text.")
