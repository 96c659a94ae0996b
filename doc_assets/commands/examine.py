"""``doc-assets explain`` and ``doc-assets extract-photos``."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from rich.table import Table
from upath import UPath

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.lookup import FeatureLookup, PixelLookup
from doc_assets.archive.pictures import ArchivePictures, PageView, page_view
from doc_assets.commands.console import console, progress_bars
from doc_assets.commands.relabel import labeller_of
from doc_assets.datatypes import Page, PhotoCrop, RgbImage
from doc_assets.defs.resources import resources_from, versions_in_use
from doc_assets.defs.sources import SourcesResource
from doc_assets.errors import UnknownDocumentError
from doc_assets.pipeline.explain import RANKS, PairExplanation, explain_pairs, found_by_explaining
from doc_assets.pipeline.stored_queries import StoredQueries
from doc_assets.reports.extraction import LIST_NAME, ExtractedDocument
from doc_assets.reports.extraction import extract_photos as extract
from doc_assets.reports.pair_picture import PairPictures, draw_pair
from doc_assets.reports.wording import reasons, said_of
from doc_assets.search.completeness import require_collection
from doc_assets.search.findings import same_merchant
from doc_assets.search.query import QueryDocument, QueryReader
from doc_assets.search.run import published_collection, query_files
from doc_assets.settings import Settings
from doc_assets.sources.names import called
from doc_assets.sources.opening import SourceRequest
from doc_assets.sources.sources import single_file
from doc_assets.util.files import write_atomic

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


@dataclass(slots=True)
class _Kept:
    """Pictures of a query file, in memory."""

    photos: dict[int, RgbImage] = field(default_factory=dict)
    pages: dict[int, PageView] = field(default_factory=dict)

    def page(self, page: Page) -> None:
        """Keeps a page, small."""
        self.pages[page.page_index] = page_view(page.pixels)

    def photo(self, crop: PhotoCrop) -> None:
        """Keeps a photo."""
        self.photos[crop.photo_index] = crop.pixels


@dataclass(frozen=True, slots=True)
class Explanation:
    """Two documents and what is known of every photo pair of theirs.

    Attributes:
        query, candidate: their names.
        notes: what holds whatever their photos show.
        dates: of the two, with their source.
        reasons: what their matched photos come to, as a search would say it.
        pairs: the most probable first.
    """

    query: str
    candidate: str
    notes: list[str]
    dates: list[str]
    reasons: list[str]
    pairs: list[PairExplanation]


def explain(settings: Settings, query: str, candidate: str, picture: Path | None) -> Explanation:
    """Compares a file or an archived document with an archived one, as a search would.

    Args:
        settings: of the home.
        query: path of a file, or id of a document of the archive.
        candidate: id of a document of the archive.
        picture: where a picture of the most probable pair goes.

    Raises:
        UnknownDocumentError: if one of them is not in the archive.
        UnreadableDocumentError: never; a query that cannot be read is explained by its error.
    """
    tools = resources_from(settings)
    embedder, describer, cutter = tools["embedder"].load(), tools["describer"].load(), tools["photo_cutter"].load()
    versions = versions_in_use(tools["photo_cutter"], tools["embedder"], tools["describer"])
    with tools["archive"].open() as archive, tools["reader"].open() as reader, progress_bars():
        other = _archived(archive, candidate)
        path = Path(query)
        kept = _Kept()
        if path.is_file():
            sources: SourcesResource = tools["sources"]
            ledger = archive.ledger
            asking = QueryReader(
                reader, cutter, embedder, describer, ledger.page_texts, sources.dates(), ledger.documents.date_of
            )
            asked = asking.read(single_file(path, key_of=sources.key_of()), kept)
        else:
            stored = StoredQueries(archive, versions, embedder, describer, reader.threads)
            asked = stored.of_document(_archived(archive, query))
        with tools["vector_store"].open() as store:
            require_collection(archive.ledger, store, tools["vector_store"].alias)
            collection = published_collection(store, tools["vector_store"].alias, versions.collection)
            pairs = explain_pairs(
                archive,
                versions,
                store,
                collection,
                FeatureLookup(archive, versions.features_id),
                PixelLookup(archive),
                tools["search_defaults"].model(versions.embedder_id),
                tools["search_defaults"].request(),
                asked,
                other,
            )
        result = found_by_explaining(labeller_of(settings, archive.ledger), asked, other, pairs)
        if picture is not None and pairs and pairs[0].entry is not None:
            archived = ArchivePictures(archive, reader)
            _draw(picture, pairs[0], asked, other, kept if path.is_file() else archived, archived)
    dates = [f"{each.date.day} ({each.date.source})" if each.date else "unknown" for each in (asked, other)]
    said = [reason.text.en for reason in reasons(result)]
    return Explanation(asked.file_name, other.file_name, _notes(asked, other), dates, said, pairs)


def _archived(archive: Archive, name: str) -> Document:
    current = archive.ledger.documents.current_with_ids
    wanted = called(name, lambda candidate: candidate in current([candidate]))
    found = current([wanted]).get(wanted)
    if found is None:
        raise UnknownDocumentError(
            f"{name!r} is neither a file nor a document of the archive. Its id is its file name without ending."
        )
    return found


def _notes(asked: QueryDocument, other: Document) -> list[str]:
    notes = [asked.error] if asked.error else []
    if asked.document_id == other.document_id:
        notes.append("Both have the same id: a document is never matched with itself, nor with its own versions.")
    if asked.sha256 is not None and asked.sha256 == other.sha256:
        notes.append("The files are identical byte for byte; this stands first whatever the photos say.")
    if same_merchant(asked.merchant_id, other.merchant_id):
        notes.append("Both are of the same merchant.")
    if not asked.photos:
        notes.append("No photo was found on the query's pages.")
    if other.n_photos == 0:
        notes.append("The candidate has no photo in the archive.")
    return notes


def _draw(
    path: Path,
    pair: PairExplanation,
    asked: QueryDocument,
    other: Document,
    queries: "_Kept | ArchivePictures",
    archived: ArchivePictures,
) -> None:
    if pair.entry is None:
        return
    entry = pair.entry
    if isinstance(queries, _Kept):
        photo, page = queries.photos.get(pair.query_photo), queries.pages.get(entry.query_page - 1)
    else:
        photo = queries.photo(asked.file_name, pair.query_photo)
        page = queries.page(asked.file_name, entry.query_page - 1)
    found = archived.photo(other.file_name, pair.photo)
    if photo is None or found is None:
        return
    pictures = PairPictures(photo, found, page, archived.page(other.file_name, entry.page - 1))
    content = io.BytesIO()
    Image.fromarray(draw_pair(pictures, entry, (asked.file_name, other.file_name))).save(content, "PNG")
    write_atomic(UPath(path), content.getvalue())


def print_explanation(found: Explanation) -> None:
    """The explanation in words."""
    out = console()
    out.print(f"{found.query} against {found.candidate}: {len(found.pairs)} photo pairs.")
    out.print(f"  dated {found.dates[0]} and {found.dates[1]}")
    for note in (*found.notes, *found.reasons):
        out.print(f"  {note}")
    table = Table(
        "query photo", "photo", "similarity", "rank", "inliers", "agreement", "probability", "done", "verdict"
    )
    for pair in found.pairs:
        table.add_row(*_row(pair))
    if found.pairs:
        out.print(table)
        out.print(f"Rank: place among the query photo's neighbours by vector / by words; - is beyond {RANKS}.")


def _row(pair: PairExplanation) -> Iterator[str]:
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


def extract_photos(
    settings: Settings, folder: Path | None, files: Sequence[Path], output: Path, *, recursive: bool
) -> bool:
    """Cuts the photos of documents into files; returns whether every document could be read."""
    tools = resources_from(settings)
    asked = SourceRequest(str(folder or ""), recursive)
    with (
        tools["sources"].open(asked, files_are_named=bool(files)) as opened,
        tools["reader"].open() as reader,
        progress_bars(),
    ):
        wanted = query_files(opened.sources, files)
        found = extract(reader, tools["photo_cutter"].load(), wanted, output)
    _print_extracted(found, output)
    return all(document.error is None for document in found)


def _print_extracted(found: Sequence[ExtractedDocument], output: Path) -> None:
    out = console()
    photos = sum(len(document.photos) for document in found)
    out.print(f"{len(found)} documents, {photos} photos in {output} ({LIST_NAME} says where they stood).")
    for document in found:
        if document.error is not None:
            out.print(f"  {document.document}: {document.state}: {document.error}")
