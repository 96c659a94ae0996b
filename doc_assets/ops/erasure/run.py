"""Forgetting from the first row to the proof. Every step may be killed and done again.

The ledger comes first: from then on no search shows the document and no run makes anything of it. What has copies of
names only, reports and logs, comes after.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from upath import UPath

from doc_assets.archive.archive import Archive, Chunk
from doc_assets.archive.chunks import prune_chunk
from doc_assets.archive.ledger.erasure import DocumentRemoval
from doc_assets.archive.ledger.results import ChangedFinding, ResultRecord
from doc_assets.archive.ledger.schema import ONLY_ADDED
from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.archive.ledger.searches import drop_of
from doc_assets.archive.ledger.verdicts import SecondReview
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.ops.erasure import databases, files
from doc_assets.ops.erasure.files import remove_holding
from doc_assets.ops.erasure.identifiers import A_PIECE, Identifiers, Residual
from doc_assets.ops.erasure.request import FOLDER_NAME, ForgetRequest
from doc_assets.ops.home import BULK_FOLDERS
from doc_assets.pipeline.relabel import forget_forms, label_documents, label_search
from doc_assets.pipeline.reviewing import Weights, file_cases
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reports.stored_results import ResultFolders, write_anew
from doc_assets.search.labels import Labeller
from doc_assets.search.verify.probability import PairModel
from doc_assets.settings import Settings
from doc_assets.sources.names import document_id, document_of_label
from doc_assets.sources.staging import staged_path
from doc_assets.util.files import is_local
from doc_assets.util.progress import track


@dataclass(frozen=True, slots=True)
class Home:
    """Everything in which a document leaves something behind.

    Attributes:
        settings: folders of the home, its results and logs; columns that result files do not show.
        archive: the ledger and the bulk files.
        open_store: opens the vector store.
        open_reader: opens a reader of documents, for evidence pictures.
        model, thresholds: judge photo pairs and make labels of results.
        records: gives URLs of Dagster's databases, in which names are replaced and rows stay.
        second_review: says which cases of the review desk need a second person.
    """

    settings: Settings
    archive: Archive
    open_store: Callable[[], AbstractContextManager[VectorStore]]
    open_reader: Callable[[], AbstractContextManager[DocumentReader]]
    model: PairModel
    thresholds: Thresholds
    records: Callable[[], Sequence[str]]
    second_review: SecondReview

    @property
    def ledger_url(self) -> str:
        """Of the ledger's database, with its password."""
        return self.archive.ledger.database.url.render_as_string(hide_password=False)


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
        traces: what the proof found.
    """

    points: int = 0
    searches: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    removed_files: list[str] = field(default_factory=list)
    replaced: int = 0
    originals: list[str] = field(default_factory=list)
    traces: list[Residual] = field(default_factory=list)


def forget(home: Home, request: ForgetRequest, now: datetime, *, delete_originals: bool = False) -> ForgetReport:
    """Removes everything about the request's documents, looks for what is left, and discards the request if nothing is.

    Raises:
        ServiceError: if a store does not answer; the next call goes on.
    """
    report = ForgetReport(searches=request.searches)
    ledger, identifiers = home.archive.ledger, request.identifiers
    ledger.tombstones.add(request.digests, now)
    _forget_uploads(home, request)
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
    _redact(home, request)
    label_documents(Labeller(ledger, home.thresholds, home.model), touched)
    _file_cases(home, request, touched, now)
    _rewrite_reports(home, request, report)
    folders = (home.settings.results_dir, home.settings.uploads_dir)
    report.removed_files = [str(path) for folder in folders for path in remove_holding(folder, identifiers)]
    report.replaced = _replace_names(home, identifiers)
    if delete_originals:
        for path in request.originals():
            if path.resolve().is_relative_to(home.settings.home.resolve()):
                path.unlink()
    report.originals = [str(path) for path in request.originals()]
    report.traces = list(find_residuals(home, identifiers))
    if not report.traces:
        request.discard(home.settings.home)
    return report


def _forget_uploads(home: Home, request: ForgetRequest) -> None:
    """Removes searches of the review desk for a file of the documents: their files, pictures and results."""
    searches = home.archive.ledger.desk_searches
    for search in searches.about(request.document_ids, request.all_digests):
        shutil.rmtree(home.settings.uploads_dir / search.folder, ignore_errors=True)
        if search.run_id is not None:
            shutil.rmtree(home.settings.results_dir / search.run_id, ignore_errors=True)
        searches.remove(search.number)


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


def _left(home: Home, request: ForgetRequest) -> list[str]:
    """Searches that name the documents, without those that were for a file of theirs and are gone."""
    known = set(home.archive.ledger.searches.ids())
    return [search_id for search_id in request.searches if search_id in known]


def _redact(home: Home, request: ForgetRequest) -> None:
    """Takes the documents out of every result that names them, and labels what is left of these searches again."""
    ledger = home.archive.ledger
    searches = ledger.searches
    left = _left(home, request)
    for search_id in track(left, "results", len(left)):
        search, results = searches.get(search_id), searches.results(search_id)
        own = [result.query_document for result in results if is_about(result, request.document_ids)]
        searches.remove(search_id, own)
        others = [result for result in results if result.query_document not in own]
        searches.record(search_id, [redacted(result, request.document_ids) for result in others])
        label_search(Labeller(ledger, search.settings.thresholds, home.model), search_id)
        searches.note_changes(search_id, notes_without(searches.changes(search_id), request.document_ids))
        if search.finished_at is not None:
            searches.finish(search_id, search.finished_at)  # the documents that stand out are others now


def _file_cases(home: Home, request: ForgetRequest, touched: Collection[int], now: datetime) -> None:
    """Files the cases of drops whose results named the documents: less may count there now, or another pair."""
    ledger = home.archive.ledger
    drops = {drop for drop in map(drop_of, request.searches) if drop is not None}
    drops |= {document.drop_key for document in ledger.documents.with_row_ids(touched)}
    for drop in sorted(ledger.cases.drops_with_cases(drops)):
        file_cases(home.archive, drop, now, Weights(), home.second_review)


def _rewrite_reports(home: Home, request: ForgetRequest, report: ForgetReport) -> None:
    folders, left_out = ResultFolders(home.settings.results_dir), home.settings.remove_columns_from_results
    with home.open_reader() as reader:
        left = _left(home, request)
        for search_id in track(left, "reports", len(left)):
            search = home.archive.ledger.searches.get(search_id)
            folder = folders.of(search)
            if folder.is_dir() and folders.is_ours(folder):
                write_anew(home.archive, reader, search, folder, left_out)
                report.reports.append(str(folder))
            elif folder.is_dir():
                report.foreign.append(str(folder))


def _replace_names(home: Home, identifiers: Identifiers) -> int:
    """Replaces names where they do not belong; today's runs and logs have numbers of documents.

    They are in free texts of the ledger, in Dagster's records and logs of earlier versions, in paths that operators
    typed into a run's config, and in errors that nobody foresaw.
    """
    urls, replaced = [home.ledger_url, *home.records()], 0
    for url in track(urls, "databases", len(urls)):
        changed = databases.scrub(url, identifiers, ONLY_ADDED)
        if changed or url == home.ledger_url:
            databases.compact(url)
        replaced += changed
    index = home.settings.home / "file_index.sqlite"  # only lists what lies outside
    if index.exists() and (removed := databases.remove_rows(f"sqlite:///{index}", identifiers)):
        databases.compact(f"sqlite:///{index}")
        replaced += removed
    for path in files.files_below([home.settings.log_dir, home.settings.dagster_home]):
        if not _is_database(path) and files.find(path, identifiers) is not None:
            replaced += files.overwrite(path, identifiers)
    return replaced


def find_residuals(home: Home, identifiers: Identifiers) -> Iterator[Residual]:
    """Whatever is still found, in every file of the home and its logs, in every database, in every collection."""
    for url in (home.ledger_url, *home.records()):
        yield from databases.find(url, identifiers)
    with home.open_store() as store:
        for collection in store.collections():
            for _, payload in store.scan(collection):
                if identifiers.is_in_text(f"{payload.document_id}\n{payload.file_name}\n{payload.sha256}"):
                    yield Residual(f"collection {collection}", "a point")
    paths = _files(home)
    for path in track(paths, "proof", len(paths)):
        found = files.find(path, identifiers)
        if found is not None and found.what == A_PIECE and _belongs_to_another(home, UPath(path)):
            found = files.find(path, identifiers.without_fingerprints)
        if found is not None:
            yield found


def _files(home: Home) -> list[Path | UPath]:
    """Every file of the home and its logs, and the bulk files wherever they are; requests to forget aside."""
    settings, bulk = home.settings, home.archive.bulk
    roots = [settings.home, settings.log_dir]
    if is_local(bulk):
        return [*files.files_below([*roots, Path(str(bulk))], without=[settings.home / FOLDER_NAME])]
    remote = (path for stage in BULK_FOLDERS for path in sorted((bulk / stage).rglob("*"), key=str))
    local = files.files_below(roots, without=[settings.home / FOLDER_NAME])
    return [*local, *(path for path in remote if path.is_file())]


def _belongs_to_another(home: Home, path: UPath) -> bool:
    """Whether the content of a file is that of documents which were not forgotten.

    A photo that was re-used may stand in two files with the same bytes. They are left of the one only where a name
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


def is_about(result: ResultRecord, forgotten: Collection[str]) -> bool:
    """Whether the query document is one of the forgotten ones."""
    name = PurePosixPath(result.query_document).name
    return document_id(name) in forgotten or document_of_label(name) in forgotten


def redacted(result: ResultRecord, forgotten: Collection[str]) -> ResultRecord:
    """The result without forgotten documents among what was found; the same one if there are none.

    Its labels are to be made again: nothing may stand accused by evidence that is gone. Pairs beyond those reported no
    longer count; screening again counts them.
    """
    left = tuple(found for found in result.top_docs if found.document_id not in forgotten)
    faults = tuple(fault for fault in result.faults if document_id(fault.document or "") not in forgotten)
    if (len(left), len(faults)) == (len(result.top_docs), len(result.faults)):
        return result
    return replace(result, top_docs=left, faults=faults)


def notes_without(changed: Sequence[ChangedFinding], forgotten: Collection[str]) -> list[ChangedFinding]:
    """Notes of changed findings without those about forgotten documents."""
    return [each for each in changed if document_of_label(each.document) not in forgotten]
