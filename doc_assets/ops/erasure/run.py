"""Forgetting from the first row to the proof. Every step may be killed and done again.

The ledger comes first: from then on no search shows the document and no run makes anything of it. What has copies of
names only, reports and logs, comes after.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.chunks import prune_chunk
from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.ops.erasure import databases, files
from doc_assets.ops.erasure.needles import A_PIECE, Needles, Trace
from doc_assets.ops.erasure.redaction import is_about, notes_without, redacted
from doc_assets.ops.erasure.reports import remove_traces
from doc_assets.ops.erasure.request import FOLDER_NAME, ForgetRequest
from doc_assets.pipeline.relabel import forget_forms, label_documents, label_search
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reports.stored_results import ResultFolders, write_anew
from doc_assets.search.labels import Labeller
from doc_assets.search.verify.probability import PairModel
from doc_assets.sources.staging import staged_path
from doc_assets.util.files import is_local
from doc_assets.util.progress import track

BULK_FOLDERS = ("documents", "photos", "embeddings", "local_features", "page_text")


@dataclass(frozen=True, slots=True)
class Home:
    """Everything in which a document leaves traces.

    Attributes:
        archive: the ledger and the bulk files.
        open_store: opens the vector store.
        open_reader: opens a reader of documents, for evidence pictures.
        model: judges photo pairs.
        thresholds: that make labels of results.
        folder, log_dir: searched for traces; logs are overwritten.
        results: reports below it are written anew.
        orchestration: folder whose text files are overwritten like logs.
        orchestration_databases: URLs of databases in which names are replaced and rows stay.
        left_out: columns that result files do not show.
        indexes: URLs of SQLite databases that only list what lies outside; rows with a name are removed.
    """

    archive: Archive
    open_store: Callable[[], AbstractContextManager[VectorStore]]
    open_reader: Callable[[], AbstractContextManager[DocumentReader]]
    model: PairModel
    thresholds: Thresholds
    folder: Path
    log_dir: Path
    results: Path
    orchestration: Path
    orchestration_databases: Callable[[], Sequence[str]]
    left_out: Sequence[str] = ()
    indexes: Sequence[str] = ()


@dataclass(slots=True)
class ForgetReport:
    """What was removed, and what is left.

    Attributes:
        points: removed from collections.
        searches: whose results were redacted.
        reports: folders whose files were written anew.
        foreign: folders of results outside the home, which are not touched.
        removed_files: further files that named the document.
        replaced: names replaced in databases and logs.
        originals: files that the document came from and that are still there.
        traces: found by the proof.
    """

    points: int = 0
    searches: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    removed_files: list[str] = field(default_factory=list)
    replaced: int = 0
    originals: list[str] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)


def forget(home: Home, request: ForgetRequest, now: datetime, *, delete_originals: bool = False) -> ForgetReport:
    """Removes everything about the request's documents, searches for traces, and discards the request if none is left.

    Raises:
        ServiceError: if a store does not answer; the next call goes on.
    """
    report = ForgetReport()
    ledger, needles = home.archive.ledger, request.needles
    ledger.tombstones.add(request.digests, now)
    removal = DocumentRemoval(ledger.database)
    rows = [document.id for document in ledger.documents.arrivals(request.document_ids)]
    touched = ledger.groups.forget(rows, home.thresholds.match_probability)
    touched |= forget_forms(ledger, rows, home.thresholds)
    removal.remove(request.document_ids, request.all_digests, request.inbox_paths, request.keys)
    report.points = _remove_points(home, request)
    for drop, start, stop in track(request.chunks, "tables", len(request.chunks)):
        prune_chunk(home.archive, Chunk(drop, range(start, stop)))
    for digest in request.all_digests:
        staged_path(home.archive.bulk, digest).unlink(missing_ok=True)
    report.searches = _redact(home, request)
    label_documents(Labeller(ledger, home.thresholds, home.model), touched)
    _rewrite_reports(home, request, report)
    report.removed_files = [str(path) for path in remove_traces(home.results, needles)]
    report.replaced = _replace_names(home, needles)
    if delete_originals:
        for path in request.originals():
            if path.resolve().is_relative_to(home.folder.resolve()):
                path.unlink()
    report.originals = [str(path) for path in request.originals()]
    report.traces = list(find_traces(home, needles))
    if not report.traces:
        request.discard(home.folder)
    return report


def _remove_points(home: Home, request: ForgetRequest) -> int:
    removed = 0
    with home.open_store() as store:
        for collection in track(store.collections(), "collections", len(store.collections())):
            ids = [point_id for point_id, _ in store.scan(collection, request.document_ids)]
            store.delete(collection, ids)
            store.finish(collection)
            store.rewrite(collection)  # points of earlier versions may lie in it too, marked as deleted
            removed += len(ids)
    return removed


def _redact(home: Home, request: ForgetRequest) -> list[str]:
    """Takes the documents out of every result that names them, and labels what is left of these searches again."""
    ledger = home.archive.ledger
    searches = ledger.searches
    for search_id in track(request.searches, "results", len(request.searches)):
        search, results = searches.get(search_id), searches.results(search_id)
        own = [result.query_document for result in results if is_about(result, request.document_ids)]
        searches.remove(search_id, own)
        others = [result for result in results if result.query_document not in own]
        searches.record(search_id, [redacted(result, request.document_ids) for result in others])
        label_search(Labeller(ledger, search.settings.thresholds, home.model), search_id)
        searches.note_changes(search_id, notes_without(searches.changes(search_id), request.document_ids))
        if search.finished_at is not None:
            searches.finish(search_id, search.finished_at)  # the documents that stand out are others now
    return request.searches


def _rewrite_reports(home: Home, request: ForgetRequest, report: ForgetReport) -> None:
    folders = ResultFolders(home.results)
    with home.open_reader() as reader:
        for search_id in track(request.searches, "reports", len(request.searches)):
            search = home.archive.ledger.searches.get(search_id)
            folder = folders.of(search)
            if not folder.is_dir():
                continue
            if folders.is_ours(folder):
                write_anew(home.archive, reader, search, folder, home.left_out)
                report.reports.append(str(folder))
            else:
                report.foreign.append(str(folder))


def _replace_names(home: Home, needles: Needles) -> int:
    """Replaces names in the ledger's free texts, in the orchestrator's records and in logs."""
    ledger = home.archive.ledger.database.url.render_as_string(hide_password=False)
    urls = [ledger, *home.orchestration_databases()]
    replaced = 0
    for url in track(urls, "databases", len(urls)):
        changed = databases.scrub(url, needles)
        if changed or url == ledger:
            databases.compact(url)
        replaced += changed
    for url in home.indexes:
        if changed := databases.remove_rows(url, needles):
            databases.compact(url)
        replaced += changed
    for path in files.files_below([home.log_dir, home.orchestration]):
        if not _is_database(path) and files.find(path, needles) is not None:
            replaced += files.overwrite(path, needles)
    return replaced


def find_traces(home: Home, needles: Needles) -> Iterator[Trace]:
    """Whatever is still found, in every file of the home and its logs, in every database, in every collection."""
    ledger = home.archive.ledger.database.url.render_as_string(hide_password=False)
    for url in (ledger, *home.orchestration_databases()):
        yield from databases.find(url, needles)
    with home.open_store() as store:
        for collection in store.collections():
            for _, payload in store.scan(collection):
                if needles.is_in_text(f"{payload.document_id}\n{payload.file_name}\n{payload.sha256}"):
                    yield Trace(f"collection {collection}", "a point")
    bulk = home.archive.bulk
    roots = [home.folder, home.log_dir, *([Path(str(bulk))] if is_local(bulk) else [])]
    paths = list(files.files_below(roots, without=[home.folder / FOLDER_NAME]))
    for path in track(paths, "proof", len(paths)):
        trace = files.find(path, needles)
        if trace is not None and trace.what == A_PIECE and _belongs_to_another(home, UPath(path)):
            trace = files.find(path, needles.names_alone)
        if trace is not None:
            yield trace
    if not is_local(bulk):
        for stage in BULK_FOLDERS:
            for remote, found in files.find_in_store(bulk / stage, needles):
                is_other = found.what == A_PIECE and _belongs_to_another(home, remote)
                trace = files.find_in_object(remote, needles.names_alone) if is_other else found
                if trace is not None:
                    yield trace


def _belongs_to_another(home: Home, path: UPath) -> bool:
    """Whether the content of a file is that of documents which were not forgotten.

    A photo that was re-used may stand in two files with the same bytes. They are a trace of the one only where a name
    of it stands too: rows of ``photos`` carry the name, staged copies and originals are known by the ledger.
    """
    bulk, documents = home.archive.bulk, home.archive.ledger.documents
    if bulk / "photos" in path.parents:
        return True
    if bulk / "documents" in path.parents:
        return documents.knows_content(path.stem)
    return bool(documents.arrivals_at([str(path)]))


def _is_database(path: Path) -> bool:
    return path.suffix in {".db", ".sqlite"} or path.name.endswith(("-wal", "-shm", "-journal"))
