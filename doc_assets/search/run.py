"""One search: query files in, one recorded result a file out."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from doc_assets.datatypes import PhotoCrop
from doc_assets.documents.faults import DocumentState
from doc_assets.documents.folder import list_documents
from doc_assets.documents.names import display_name, real_path
from doc_assets.errors import FolderUnreachableError, IndexSchemaError, SettingsError
from doc_assets.index.base import VectorStore, collection_name
from doc_assets.ledger.ledger import Ledger
from doc_assets.ledger.searches import ResultRecord, SearchRecord
from doc_assets.progress import track
from doc_assets.search.query import QueryDocument, QueryReader
from doc_assets.search.ranking import (
    Aggregation,
    DocumentMatch,
    MatchRule,
    PhotoMatch,
    Twin,
    best_of_each_photo,
    rank_documents,
)
from doc_assets.search.retrieval import Batch, fused, retrieve_from_archive
from doc_assets.search.verifying import LoadFeatures, verified
from doc_assets.verification.geometry import Polygon

OpenStore = Callable[[], AbstractContextManager[VectorStore]]
OnCrop = Callable[[str, PhotoCrop], None]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is asked for.

    Attributes:
        top_k: neighbours of every query photo.
        top_doc: documents reported for every query document.
        aggregation: how photo matches make a document's score; see ``ranking``.
        include_batch: whether the documents searched together are compared with each other too.
        match_probability: a verified photo pair at least this probable counts as matched.
        match_similarity: one that was not verified counts as matched from this similarity on.
        use_words: whether photos are looked for by their visual words too.
        verify: whether the keypoints of candidates are compared.
        privacy_mode: whether no pixel of a query may be kept.
        output_folder: where whoever writes the results as files puts them.
    """

    top_k: int = 10
    top_doc: int = 7
    aggregation: Aggregation = "max"
    include_batch: bool = True
    match_probability: float = 0.5
    match_similarity: float = 0.7
    use_words: bool = True
    verify: bool = True
    privacy_mode: bool = True
    output_folder: str = ""

    @property
    def rule(self) -> MatchRule:
        """When a photo pair counts as matched."""
        return MatchRule(self.match_probability, self.match_similarity)

    def __post_init__(self) -> None:
        if self.top_k < 1 or self.top_doc < 1:
            raise SettingsError(f"top_k and top_doc must be at least 1, got {self.top_k} and {self.top_doc}")


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A file to search for; ``label`` names it in results, unique within the search."""

    path: Path
    label: str


def query_files(folder: Path | None, files: Sequence[Path], *, recursive: bool) -> list[QueryFile]:
    """The files of a search: those of a folder, by path below it, and those named one by one.

    Raises:
        FolderUnreachableError: if the folder cannot be listed.
        SettingsError: if there is nothing to search for.
    """
    found: dict[str, QueryFile] = {}
    if folder is not None:
        root = folder.absolute()
        listing = list_documents(root, recursive=recursive)
        if listing.unreadable:
            raise FolderUnreachableError(
                f"These cannot be read: {', '.join(listing.unreadable[:10])}. Nothing was searched."
            )
        for stored in sorted(listing.files):
            path = real_path(stored)
            label = display_name(str(path.relative_to(root)))
            found[label] = QueryFile(path, label)
    for path in files:
        label = display_name(path.name)
        if label in found:
            label = display_name(str(path.absolute()))
        found[label] = QueryFile(path, label)
    if not found:
        raise SettingsError(f"There is no .tif or .tiff file to search for in {folder or 'the list of files'}.")
    return list(found.values())


def search_documents(
    ledger: Ledger,
    open_store: OpenStore,
    alias: str,
    queries: QueryReader,
    load_features: LoadFeatures,
    files: Sequence[QueryFile],
    request: SearchRequest,
    search_id: str,
    on_crop: OnCrop | None = None,
) -> list[ResultRecord]:
    """Searches for every file and records what was found under ``search_id``.

    The store is open only while it is asked, so that a search does not hold up an ingestion.

    Args:
        ledger: where results go, and where byte-identical documents are looked up.
        open_store: opens the vector store.
        alias: the collection to search.
        queries: reads query files.
        load_features: finds the keypoints of archive photos.
        files: what to search for.
        request: how.
        search_id: names the search; a second one of the same id replaces its results.
        on_crop: receives the query's photos if the request is not private.

    Raises:
        IndexSchemaError: if nothing is published, or by another embedder.
        SettingsError: if ``on_crop`` is given for a private search.
    """
    if on_crop is not None and request.privacy_mode:
        raise SettingsError("In privacy_mode no photo of a query may be kept.")
    with open_store() as store:  # before minutes of reading
        collection = published_collection(store, alias, queries)
        n_indexed = store.count(collection)
    began = datetime.now(UTC)
    ledger.searches.start(SearchRecord(search_id, began, None, collection, n_indexed, asdict(request)))
    read = _read_all(queries, files, on_crop)
    documents = [document for document, _ in read]
    batch = Batch(documents, queries.embedder.embedder_id, search_id) if request.include_batch else None
    twins = _twins(ledger, documents, include_batch=request.include_batch)
    results = []
    with open_store() as store:
        for position, (file, (document, seconds)) in enumerate(
            track(zip(files, read, strict=True), "searching", len(files))
        ):
            started = time.monotonic()
            parts = [retrieve_from_archive(store, collection, document, request.top_k, use_words=request.use_words)]
            if batch is not None:
                parts.append(batch.retrieve(document, request.top_k, use_words=request.use_words))
            matches = fused(parts)
            if request.verify:
                matches = verified(document, matches, load_features, batch)
            ranking = _rank(document, matches, twins[position], request)
            elapsed = seconds + time.monotonic() - started
            results.append(_record(file.label, position, document, ranking, request, elapsed))
    ledger.searches.record(search_id, results)
    ledger.searches.finish(search_id, datetime.now(UTC))
    return results


def published_collection(store: VectorStore, alias: str, queries: QueryReader) -> str:
    """The collection behind the alias, if these queries may be compared with it.

    Raises:
        IndexSchemaError: if there is none, or another embedder or other features filled it.
    """
    published = store.resolve(alias)
    if published is None:
        raise IndexSchemaError(
            f"Nothing is published as {alias!r}: the archive is empty. Ingest documents first "
            "(drop them into the inbox, or `doc-assets build-image-index --folder DIR`)."
        )
    wanted = collection_name(queries.embedder.embedder_id, queries.describer.features_id)
    if published != wanted:
        raise IndexSchemaError(
            f"The archive is indexed as {published}, the settings and this version ask for {wanted}; they cannot be "
            "compared. Set DOC_ASSETS_EMBEDDER, DOC_ASSETS_WORDS_CODEBOOK and their options back, or let the nightly "
            "re-index fill the new collection first."
        )
    return published


def _read_all(
    queries: QueryReader, files: Sequence[QueryFile], on_crop: OnCrop | None
) -> list[tuple[QueryDocument, float]]:
    def read(file: QueryFile) -> tuple[QueryDocument, float]:
        started = time.monotonic()
        document = queries.read(file.path, on_crop)
        return document, time.monotonic() - started

    return list(track(queries.reader.threads.map(read, files), "reading queries", len(files)))


def _twins(ledger: Ledger, documents: Sequence[QueryDocument], *, include_batch: bool) -> list[list[Twin]]:
    """For every query document the other documents with the same bytes."""
    by_digest: dict[str, dict[str, Twin]] = {}
    digests = sorted({document.sha256 for document in documents if document.sha256})
    for digest, archived in ledger.documents.current_with_sha256(digests).items():
        by_digest[digest] = {d.document_id: Twin(d.document_id, d.file_name) for d in archived}
    if include_batch:
        for document in documents:
            if document.sha256:
                same = by_digest.setdefault(document.sha256, {})
                same.setdefault(document.document_id, Twin(document.document_id, document.file_name, True))
    return [
        [
            twin
            for name, twin in sorted(by_digest.get(document.sha256 or "", {}).items())
            if name != document.document_id
        ]
        for document in documents
    ]


def _rank(
    document: QueryDocument, matches: Sequence[PhotoMatch], twins: Sequence[Twin], request: SearchRequest
) -> list[DocumentMatch]:
    return rank_documents(
        best_of_each_photo(matches, request.top_k),
        n_query_photos=len(document.photos),
        aggregation=request.aggregation,
        top_doc=request.top_doc,
        rule=request.rule,
        twins=twins,
    )


def _record(
    label: str,
    position: int,
    document: QueryDocument,
    ranking: Sequence[DocumentMatch],
    request: SearchRequest,
    elapsed_s: float,
) -> ResultRecord:
    best = ranking[0] if ranking else None
    error = document.error
    if error is None and not document.photos and document.state == DocumentState.OK:
        error = "No photo was found on its pages."
    return ResultRecord(
        query_document=label,
        position=position,
        state=document.state,
        error=error,
        n_photos=len(document.photos),
        best_document=best.file_name if best else None,
        best_score=best.score if best else None,
        elapsed_s=round(elapsed_s, 3),
        top_docs=[_top_doc(match, document, request.rule) for match in ranking],
    )


def _top_doc(match: DocumentMatch, document: QueryDocument, rule: MatchRule) -> dict[str, Any]:
    """An entry of ``top_docs`` as reports show it: pages from 1, photos from 0."""
    return {
        "document": match.file_name,
        "score": round(match.score, 6),
        "n_matched_photos": match.n_matched_photos(rule),
        "exact_duplicate": match.exact_duplicate,
        "same_batch": match.same_batch,
        "matches": [_pair(pair, document) for pair in match.matches],
    }


def _pair(pair: PhotoMatch, document: QueryDocument) -> dict[str, Any]:
    crop = document.photos[pair.query_photo].crop
    entry: dict[str, Any] = {
        "query_page": crop.page_index + 1,
        "query_photo": crop.photo_index,
        "query_box": crop.box.as_list(),
        "page": pair.payload.page_index + 1,
        "photo": pair.payload.photo_index,
        "box": pair.payload.box.as_list(),
        "similarity": round(pair.similarity, 6),
        "quarter_turns": pair.view.quarter_turns,
        "mirrored": pair.view.mirrored,
        "probability": None if pair.probability is None else round(pair.probability, 6),
        "inliers": pair.alignment.inliers if pair.alignment else 0,
    }
    if pair.alignment is not None:
        entry["overlap"] = {
            "query_share": round(pair.alignment.query_share, 4),
            "share": round(pair.alignment.archive_share, 4),
            "query_area": _rounded(pair.alignment.query_area),
            "area": _rounded(pair.alignment.archive_area),
        }
    return entry


def _rounded(area: Polygon) -> list[list[float]]:
    return [[round(x, 4), round(y, 4)] for x, y in area]
