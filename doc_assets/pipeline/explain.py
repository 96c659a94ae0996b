"""Why a document was matched with another, or was not: every photo pair of the two, in words and as a picture."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from PIL import Image
from upath import UPath

from doc_assets.archive.archive import Archive, Versions, chunk_of
from doc_assets.archive.ledger.results import PairKind, PhotoPair, ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.photo_lookup import PageView, page_view
from doc_assets.archive.shards import read_embeddings
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.datatypes import Page, PhotoCrop, PhotoKey, RgbImage
from doc_assets.errors import UnknownDocumentError
from doc_assets.reports.pair_picture import PairPictures, draw_pair
from doc_assets.reports.report import Pictures
from doc_assets.reports.wording import reasons
from doc_assets.search.findings import same_merchant
from doc_assets.search.kinds import labelled
from doc_assets.search.labels import Labeller
from doc_assets.search.matching import Verifier
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import PhotoMatch, telling
from doc_assets.search.record import archived_find, photo_pair, result_record
from doc_assets.search.retrieval import retrieve_from_archive, seen_best
from doc_assets.sources.names import called
from doc_assets.util.files import write_atomic

RANKS = 100
"""Neighbours of a query photo among which a candidate's place is told."""

_FEW_INLIERS = 12  # strangers reach 4 to 8 by chance

Reason = PairKind | Literal["matched", "not_retrieved", "no_alignment", "not_alike", "replaced"]


@dataclass(frozen=True, slots=True)
class PairExplanation:
    """What is known of one photo pair.

    Attributes:
        entry: as in a result; None if the archive's photo was replaced meanwhile.
        query_photo, photo: places in their documents, from 0.
        vector_rank, words_rank: place among the query photo's neighbours in the archive, from 1; None beyond a hundred.
        would_be_looked_at: whether a search with the request's ``top_k`` gets to see the pair.
        reason: why it was matched or not; the first of the ways in which it fails.
    """

    entry: PhotoPair | None
    query_photo: int
    photo: int
    vector_rank: int | None
    words_rank: int | None
    would_be_looked_at: bool
    reason: Reason

    @property
    def probability(self) -> float:
        """That both show the same shot; 0 if it is not known."""
        return (self.entry.probability or 0.0) if self.entry is not None else 0.0


def explain_pairs(
    archive: Archive,
    versions: Versions,
    store: VectorStore,
    collection: str,
    verifier: Verifier,
    request: SearchRequest,
    query: QueryDocument,
    candidate: Document,
) -> list[PairExplanation]:
    """Every pair of a query photo and a photo of the candidate, a current document of the archive; best first."""
    found = retrieve_from_archive(store, collection, query, RANKS, use_words=request.use_words)
    ranks = _ranks(found.by_vector), _ranks(found.by_words)
    explained = []
    for number, photo in enumerate(query.photos):
        matches = list(_pairs(archive, versions, query, number, candidate))
        seen = {match.payload.key: match for match in verifier.look_at(photo, matches, [])}
        for match in matches:
            places = tuple(rank.get((number, match.payload.key)) for rank in ranks)
            explained.append(_explained(query, match, seen.get(match.payload.key), places, request))

    def told(pair: PairExplanation) -> tuple[tuple[float, bool, float], int, int]:
        is_alike = pair.entry is not None and pair.entry.likeness is not None
        return telling(pair.probability, is_alike=is_alike), pair.query_photo, pair.photo

    return sorted(explained, key=told)


def _pairs(
    archive: Archive, versions: Versions, query: QueryDocument, number: int, candidate: Document
) -> Iterator[PhotoMatch]:
    chunk = chunk_of(candidate, archive.chunks(candidate.drop_key))
    for row in read_embeddings(archive.embedding_shard(chunk, versions.embedder_id)):
        if row.payload.document_id == candidate.document_id:
            yield seen_best(number, query.photos[number], row.vector, row.payload)


def _ranks(ranked: Sequence[PhotoMatch]) -> dict[tuple[int, PhotoKey], int]:
    """Place of every pair within its query photo, from 1."""
    places: dict[tuple[int, PhotoKey], int] = {}
    counts: Counter[int] = Counter()
    for match in ranked:
        if match.pair not in places:
            counts[match.query_photo] += 1
            places[match.pair] = counts[match.query_photo]
    return places


def _explained(
    query: QueryDocument,
    match: PhotoMatch,
    seen: PhotoMatch | None,
    places: tuple[int | None, ...],
    request: SearchRequest,
) -> PairExplanation:
    entry = None if seen is None else labelled(photo_pair(seen, query), request)
    is_near = any(place is not None and place <= request.top_k for place in places)
    reason: Reason = "matched"
    if seen is None or entry is None:
        reason = "replaced"
    elif not is_near:
        reason = "not_retrieved"
    elif not entry.matched and entry.kind is not None and entry.kind != "same_photograph":
        reason = entry.kind
    elif not entry.matched:
        few = seen.alignment is None or seen.alignment.inliers < _FEW_INLIERS
        reason = "no_alignment" if few else "not_alike"
    return PairExplanation(
        entry=entry,
        query_photo=match.query_photo,
        photo=match.payload.photo_index,
        vector_rank=places[0],
        words_rank=places[1],
        would_be_looked_at=is_near,
        reason=reason,
    )


def found_by_explaining(
    labeller: Labeller, query: QueryDocument, candidate: Document, pairs: Sequence[PairExplanation]
) -> ResultRecord:
    """What the pairs of two documents come to by the rules of a search, the archive's photo groups beside them."""
    best: dict[int, PhotoPair] = {}
    for explained in pairs:
        if explained.entry is not None and explained.entry.is_shown:
            best.setdefault(explained.query_photo, explained.entry)
    is_exact = query.sha256 is not None and query.sha256 == candidate.sha256
    score = max((pair.similarity for pair in best.values()), default=0.0)
    found = archived_find(candidate, list(best.values()), score, is_exact=is_exact)
    result = result_record(query.file_name, 0, query, (found,) if best or is_exact else (), 0.0)
    return labeller.label([replace(result, error=query.error)])[0]


@dataclass(slots=True)
class KeptQuery:
    """Takes the pictures of one query file into memory."""

    photos: dict[int, RgbImage] = field(default_factory=dict)
    pages: dict[int, PageView] = field(default_factory=dict)

    def page(self, page: Page) -> None:
        """Keeps a page, small."""
        self.pages[page.page_index] = page_view(page.pixels)

    def photo(self, crop: PhotoCrop) -> None:
        """Keeps a photo."""
        self.photos[crop.photo_index] = crop.pixels


@dataclass(frozen=True, slots=True)
class KeptPictures:
    """Finds what was kept of the only query file."""

    kept: KeptQuery

    def photo(self, _file_name: str, photo_index: int) -> RgbImage | None:
        """A photo."""
        return self.kept.photos.get(photo_index)

    def page(self, _file_name: str, page_index: int) -> PageView | None:
        """A page."""
        return self.kept.pages.get(page_index)


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


def archived_document(archive: Archive, name: str) -> Document:
    """The current document of that id or file name.

    Raises:
        UnknownDocumentError: if it is not in the archive.
    """
    current = archive.ledger.documents.current_with_ids
    wanted = called(name, lambda candidate: candidate in current([candidate]))
    found = current([wanted]).get(wanted)
    if found is None:
        raise UnknownDocumentError(
            f"{name!r} is neither a file nor a document of the archive. Its id is its file name without ending."
        )
    return found


def explanation_of(
    labeller: Labeller, asked: QueryDocument, other: Document, pairs: list[PairExplanation]
) -> Explanation:
    """What the photo pairs of a query document and a current document of the archive come to, judged as by a search."""
    dates = [f"{each.date.day} ({each.date.source})" if each.date else "unknown" for each in (asked, other)]
    said = [reason.text.en for reason in reasons(found_by_explaining(labeller, asked, other, pairs))]
    return Explanation(asked.file_name, other.file_name, _notes(asked, other), dates, said, pairs)


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


def draw_first(
    file: Path, pairs: Sequence[PairExplanation], names: tuple[str, str], queries: Pictures, archived: Pictures
) -> None:
    """Draws the first of the pairs, the most probable one, as PNG; nothing if a photo of it is not at hand.

    ``names`` and pictures are those of the query document and of the archive document.
    """
    if not pairs or pairs[0].entry is None:
        return
    pair, entry = pairs[0], pairs[0].entry
    photo, found = queries.photo(names[0], pair.query_photo), archived.photo(names[1], pair.photo)
    if photo is None or found is None:
        return
    query_page, page = queries.page(names[0], entry.query_page - 1), archived.page(names[1], entry.page - 1)
    content = io.BytesIO()
    Image.fromarray(draw_pair(PairPictures(photo, found, query_page, page), entry, names)).save(content, "PNG")
    write_atomic(UPath(file), content.getvalue())
