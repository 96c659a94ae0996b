"""Commands that look into documents: why two match or do not, and the photos that are cut from any."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doc_assets.cli.console import console, progress_bars, show_table
from doc_assets.cli.shell import FAILED, AsJson, app, command, say

if TYPE_CHECKING:
    from doc_assets.archive.archive import Archive
    from doc_assets.archive.ledger.rows import Document
    from doc_assets.pipeline.explain import Explanation, KeptQuery, PairExplanation
    from doc_assets.reading.sandbox import DocumentReader
    from doc_assets.reports.extraction import ExtractedDocument
    from doc_assets.runtime import Runtime
    from doc_assets.search.query import QueryDocument
    from doc_assets.settings import Settings

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
    from doc_assets.archive.pictures import ArchivePictures
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
    if found.pairs:
        columns = (
            "query photo",
            "photo",
            "similarity",
            "rank",
            "inliers",
            "agreement",
            "probability",
            "done",
            "verdict",
        )
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
    with (
        runtime.sources(asked, files_are_named=bool(files)) as opened,
        runtime.reader() as reader,
        progress_bars(),
    ):
        return extract(reader, runtime.cutter(), query_files(opened.sources, files), output)


def _print_extracted(found: "Sequence[ExtractedDocument]", output: Path) -> None:
    from doc_assets.reports.extraction import LIST_NAME

    photos = sum(len(document.photos) for document in found)
    console().print(f"{len(found)} documents, {photos} photos in {output} ({LIST_NAME} says where they stood).")
    for document in found:
        if document.error is not None:
            console().print(f"  {document.document}: {document.state}: {document.error}")
