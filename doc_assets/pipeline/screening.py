"""Stage ``document_matches``: every document of a drop against the whole archive, its own drop included."""

import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from threadpoolctl import threadpool_limits

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.ledger.documents import Stage
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import ResultRecord
from doc_assets.archive.ledger.rows import Document
from doc_assets.archive.ledger.search_settings import SearchRequest
from doc_assets.archive.ledger.searches import search_id_of
from doc_assets.pipeline.indexing import require_made_with
from doc_assets.pipeline.relabel import keep_links, label_others, label_search
from doc_assets.pipeline.stored_queries import StoredQueries, query_without_photos
from doc_assets.search.completeness import published_collection
from doc_assets.search.labels import Labeller
from doc_assets.search.matching import Matcher, Verifier
from doc_assets.search.query import QueryDocument
from doc_assets.search.ranking import Twin
from doc_assets.search.record import result_record
from doc_assets.search.run import (
    OpenStore,
    answer,
    begun_search,
    dates_of,
    find_twins,
    not_searched,
    require_all_accounted,
)
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.progress import track

STAGE = "document_matches"


@dataclass(frozen=True, slots=True)
class ScreeningReport:
    """What screening a drop came to.

    Attributes:
        search_id: of its results in the ledger.
        documents: of the drop, rejected ones included.
        flagged: those whose risk reached the threshold.
        changed: of other drops whose finding changed with what this drop brought.
        screened_now: screened in this run; the others were done before it was killed.
        photos_in_archive: that they were compared with.
        seconds: time spent.
    """

    search_id: str
    documents: int
    flagged: int
    changed: int
    screened_now: int
    photos_in_archive: int
    seconds: float


def screen_drop(
    archive: Archive,
    open_store: OpenStore,
    alias: str,
    queries: StoredQueries,
    verifier: Verifier,
    request: SearchRequest,
    drop_key: str,
) -> ScreeningReport:
    """Searches for every document of a drop and records what was found, chunk by chunk.

    A run that was killed goes on where it stopped; one that was finished is done again, against today's archive. The
    vector store is held while a chunk is screened.

    Raises:
        IndexSchemaError: if nothing is published, or by another embedder.
        SetupError: if the drop was not embedded and described with the versions in use.
    """
    began, started = datetime.now(UTC), time.monotonic()
    with open_store() as store:
        collection = published_collection(store, alias, queries.versions.collection)
        n_indexed = store.count(collection)
    search_id = search_id_of(drop_key)
    ledger = archive.ledger
    done = ledger.searches.resume(
        begun_search(search_id, request, began, collection, n_indexed, verifier.model.model_id)
    )
    chunks = archive.chunks(drop_key)
    shared = ledger.documents.shared_names(drop_key)
    screened = 0
    touched: set[int] = set()
    for chunk in track(chunks, "screening", len(chunks)):
        documents = ledger.documents.of_chunk(chunk.drop_key, chunk.positions)
        if all(_label(document, shared) in done for document in documents):
            continue
        require_made_with(archive, chunk, archive.current(chunk), queries.versions)
        with open_store() as store, threadpool_limits(1, "blas"):
            matcher = Matcher(store, collection, verifier, queries.threads, request)
            results = list(_screen_chunk(archive, matcher, queries, chunk, documents, shared))
        touched |= keep_links(ledger, documents, results, request.thresholds)
        ledger.searches.record(search_id, results)
        screened += len(results)
    labeller = Labeller(ledger, request.thresholds, verifier.model)
    label_search(labeller, search_id)
    changed = label_others(labeller, drop_key, touched)
    ledger.searches.note_changes(search_id, changed)
    now = datetime.now(UTC)
    ledger.searches.finish(search_id, now)
    ledger.documents.complete_stage(drop_key, Stage(STAGE, "", f"{queries.versions.points}|{n_indexed}"), now)
    everything = ledger.searches.results(search_id)
    require_all_accounted(sum(len(chunk.positions) for chunk in chunks), len(everything), f"documents of {drop_key}")
    return ScreeningReport(
        search_id=search_id,
        documents=len(everything),
        flagged=sum(result.flagged for result in everything),
        changed=len(changed),
        screened_now=screened,
        photos_in_archive=n_indexed,
        seconds=time.monotonic() - started,
    )


def _screen_chunk(
    archive: Archive,
    matcher: Matcher,
    queries: StoredQueries,
    chunk: Chunk,
    documents: Sequence[Document],
    shared_names: Set[str],
) -> Iterator[ResultRecord]:
    made = attempt(f"documents of drop {chunk.drop_key} from {chunk.positions.start}", partial(queries.of_chunk, chunk))
    if isinstance(made, Failure):
        made = iter([(document, made) for document in documents if document.is_current])
    asked: set[int] = set()
    for document, query in made:
        asked.add(document.id)
        label = _label(document, shared_names)
        if isinstance(query, Failure):
            yield not_searched(label, document.position, query_without_photos(document), query)
        else:
            twins_of = partial(_twins, archive.ledger, query, chunk.drop_key)
            dated = partial(dates_of, archive.ledger, {})
            yield answer(matcher, label, document.position, query, twins_of, dated, chunk.drop_key)
    for document in documents:
        if document.id not in asked:  # another run may have replaced it a moment ago
            yield _not_searched(_label(document, shared_names), document)


def _twins(ledger: Ledger, query: QueryDocument, drop_key: str) -> list[Twin]:
    return find_twins(ledger, [query], drop_key, include_batch=False)[0]


def _label(document: Document, shared_names: Set[str]) -> str:
    """A name of its own within the drop, whose folders may hold files of the same name."""
    if document.file_name not in shared_names:
        return document.file_name
    return f"{document.file_name} ({document.position + 1})"


def _not_searched(label: str, document: Document) -> ResultRecord:
    """A document that is not in the archive: rejected, a duplicate, or replaced by a newer version."""
    reasons = {"duplicate": "The same file was dropped before.", "rejected": document.reason or "It could not be read."}
    error = reasons.get(document.state, "A newer version of the document replaced it.")
    nothing = replace(query_without_photos(document), error=error)
    return result_record(label, document.position, nothing, (), 0.0, searched=False)
