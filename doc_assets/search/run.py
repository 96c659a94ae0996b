"""One search: query files in, one recorded result a file out."""

import getpass
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count, islice
from pathlib import Path

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.results import ResultRecord, SearchFault
from doc_assets.archive.ledger.search_settings import SearchRequest, SearchSettings
from doc_assets.archive.ledger.searches import SearchRecord
from doc_assets.archive.vectors.base import VectorStore, collection_name
from doc_assets.datatypes import DocumentDate
from doc_assets.errors import AccountingError, SettingsError
from doc_assets.search.completeness import published_collection
from doc_assets.search.findings import LABELS_VERSION
from doc_assets.search.labels import Labeller
from doc_assets.search.matching import Matcher, Verifier
from doc_assets.search.query import PictureSink, QueryDocument, QueryReader
from doc_assets.search.ranking import DocumentMatch, Twin
from doc_assets.search.record import found_documents, result_record
from doc_assets.search.retrieval import Batch
from doc_assets.sources.key_tables.table import KeyOf, no_keys
from doc_assets.sources.names import display_name
from doc_assets.sources.sources import DocumentSource, SourceFile, files_of, nothing_in, single_file, unreadable_file
from doc_assets.util.isolation import Failure, attempt
from doc_assets.util.progress import track

OpenStore = Callable[[], AbstractContextManager[VectorStore]]
KeptBy = Callable[[str], PictureSink]
"""Label of a query document -> what takes its pictures."""


def begun_search(
    search_id: str,
    request: SearchRequest,
    now: datetime,
    collection: str,
    n_indexed_photos: int,
    pair_model: str,
    requested_by: str = "",
) -> SearchRecord:
    """A search that begins now, with labels and probabilities by what is in use; of the process's user by default."""
    settings = SearchSettings(**asdict(request), labels=LABELS_VERSION, pair_model=pair_model)
    by = requested_by or requesting_user()
    return SearchRecord(search_id, now, None, collection, n_indexed_photos, settings, by)


def requesting_user() -> str:
    """Who asks: the user of this process, or its number where it has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def query_files(sources: Sequence[DocumentSource], files: Sequence[Path], key_of: KeyOf = no_keys) -> list[SourceFile]:
    """The files of a search: those of sources, and those named one by one; each with a label of its own.

    A key without a file, or a path that cannot be looked into, becomes a query that cannot be read, so that it is
    accounted for.

    Raises:
        FolderUnreachableError: if a folder cannot be listed.
        SettingsError: if there is nothing to search for.
    """
    found: dict[str, SourceFile] = {}
    for source in sources:
        for given in files_of(source):
            if isinstance(given, SourceFile):
                file, other = given, display_name(given.origin)
            else:
                file = unreadable_file(given)
                other = f"{file.label} (line {given.row.line})"
            label = _label_of_its_own(found, file.label, other)
            found[label] = replace(file, label=label)
    for path in files:
        label = _label_of_its_own(found, display_name(path.name), display_name(str(path.absolute())))
        found[label] = single_file(path, label, key_of)
    if not found:
        raise SettingsError(" ".join(map(nothing_in, sources)) or "There is no document in the list of files.")
    return list(found.values())


def _label_of_its_own(taken: Collection[str], label: str, other: str) -> str:
    """A label, or another, or that with a number: whatever is not taken."""
    if label not in taken:
        return label
    return next(name for name in chain([other], (f"{other} ({n})" for n in count(2))) if name not in taken)


def search_documents(
    ledger: Ledger,
    open_store: OpenStore,
    alias: str,
    queries: QueryReader,
    verifier: Verifier,
    files: Sequence[SourceFile],
    request: SearchRequest,
    search_id: str,
    kept_by: KeptBy | None = None,
    requested_by: str = "",
) -> list[ResultRecord]:
    """Searches for every file and records what was found under ``search_id``, in place of an earlier search of that id.

    The store is open only while it is asked, so that a search does not hold up an ingestion. ``kept_by`` takes the
    queries' pictures if the request is not private; ``requested_by`` is whoever asks, this process's user by default.

    Raises:
        IndexSchemaError: if nothing is published, or by another embedder.
        SettingsError: if ``kept_by`` is given for a private search.
    """
    if kept_by is not None and request.privacy_mode:
        raise SettingsError("In privacy_mode no photo of a query may be kept.")
    with open_store() as store:  # before minutes of reading
        wanted = collection_name(queries.embedder.embedder_id, queries.describer.features_id)
        collection = published_collection(store, alias, wanted)
        n_indexed = store.count(collection)
    began = datetime.now(UTC)
    begun = begun_search(search_id, request, began, collection, n_indexed, verifier.model.model_id, requested_by)
    ledger.searches.start(begun)
    read = _read_all(queries, files, kept_by)
    documents = [found.document for found in read]
    batch = Batch(documents, queries.embedder.embedder_id, search_id) if request.include_batch else None
    together = {document.document_id: document.date for document in documents if document.date is not None}
    twins = find_twins(ledger, documents, search_id, include_batch=request.include_batch)
    results = []
    with open_store() as store:
        matcher = Matcher(store, collection, verifier, queries.reader.threads, request, batch)
        for position, each in enumerate(track(read, "searching", len(read))):
            its_twins, dated = partial(twins.__getitem__, position), partial(dates_of, ledger, together)
            results.append(answer(matcher, each.label, position, each.document, its_twins, dated, seconds=each.seconds))
    require_all_accounted(len(read), len({result.query_document for result in results}), "query documents")
    results = Labeller(ledger, request.thresholds, verifier.model).label(results)
    ledger.searches.record(search_id, results)
    ledger.searches.finish(search_id, datetime.now(UTC))
    return results


def dates_of(
    ledger: Ledger, together: Mapping[str, DocumentDate], ranking: Sequence[DocumentMatch]
) -> dict[str, DocumentDate]:
    """Dates of ranked documents by id; ``together`` are those of the documents that are searched together."""
    archived = ledger.documents.current_with_ids({match.document_id for match in ranking if not match.same_batch})
    batch = {match.document_id for match in ranking if match.same_batch} & set(together)
    return {name: document.date for name, document in archived.items()} | {name: together[name] for name in batch}


def answer(
    matcher: Matcher,
    label: str,
    position: int,
    query: QueryDocument,
    twins_of: Callable[[], Sequence[Twin]],
    dates_of: Callable[[Sequence[DocumentMatch]], Mapping[str, DocumentDate]],
    own_drop: str | None = None,
    seconds: float = 0.0,
) -> ResultRecord:
    """What was found for one query document; if that breaks, that it was not searched for, and why.

    ``twins_of`` gives documents of the same bytes, ``dates_of`` the dates of ranked documents by id; ``own_drop`` is
    the document's if it is in the archive itself, ``seconds`` were spent on it before.
    """
    started = time.monotonic()
    faults = list(query.faults)

    def result() -> ResultRecord:
        ranking = matcher.match(query, twins_of(), faults)
        found = list(found_documents(ranking, query, matcher.request, dates_of(ranking), own_drop))
        return result_record(label, position, query, found, seconds + time.monotonic() - started, faults=faults)

    found = attempt(f"search for the document in place {position + 1}", result)
    if isinstance(found, Failure):
        return not_searched(label, position, query, found, seconds + time.monotonic() - started)
    return found


def not_searched(
    label: str, position: int, query: QueryDocument, failure: Failure, elapsed_s: float = 0.0
) -> ResultRecord:
    """The answer to a query document whose search broke: no risk, and why."""
    reason = f"It was not searched for: {failure.reason}"
    nothing = replace(query, photos=(), error=f"{query.error}; {reason}" if query.error else reason)
    faults = [*query.faults, SearchFault("result", reason)]
    return result_record(label, position, nothing, (), elapsed_s, searched=False, faults=faults)


def require_all_accounted(wanted: int, found: int, what: str) -> None:
    """Holds that nothing was lost on the way.

    Raises:
        AccountingError: if something was.
    """
    if wanted != found:
        raise AccountingError(
            f"{found} of {wanted} {what} are accounted for. This is a defect of the program; report it with the log."
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """A query document that was read."""

    label: str
    document: QueryDocument
    seconds: float


def _read_all(queries: QueryReader, files: Sequence[SourceFile], kept_by: KeptBy | None) -> list[_Read]:
    """The documents of the files in order, each followed by the others of its key."""

    def read(file: SourceFile) -> _Read:
        started = time.monotonic()
        document = queries.read(file, kept_by(file.label) if kept_by is not None else None)
        return _Read(file.label, document, time.monotonic() - started)

    threads = queries.reader.threads
    first = list(track(threads.map(read, files), "reading queries", len(files)))
    others = threads.map(read, [other for found in first for other in found.document.more])
    return [each for found in first for each in (found, *islice(others, len(found.document.more)))]


def find_twins(
    ledger: Ledger, documents: Sequence[QueryDocument], label: str, *, include_batch: bool
) -> list[list[Twin]]:
    """For every query document the other documents with the same bytes; ``label`` names the batch."""
    by_digest: dict[str, dict[str, Twin]] = defaultdict(dict)
    digests = sorted({document.sha256 for document in documents if document.sha256})
    for digest, archived in ledger.documents.current_with_sha256(digests).items():
        for each in archived:
            by_digest[digest][each.document_id] = Twin(
                each.document_id, each.file_name, each.merchant_id, each.drop_key
            )
    for query in documents if include_batch else ():
        if query.sha256:
            twin = Twin(query.document_id, query.file_name, query.merchant_id, label, same_batch=True)
            by_digest[query.sha256].setdefault(query.document_id, twin)
    same = [sorted(by_digest[document.sha256].items()) if document.sha256 else [] for document in documents]
    return [
        [twin for name, twin in twins if name != document.document_id]
        for document, twins in zip(documents, same, strict=True)
    ]
