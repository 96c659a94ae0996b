"""The result files of a search, written from the ledger: after it, and again whenever its labels change."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from doc_assets.archive.archive import Archive
from doc_assets.archive.ledger.searches import SearchRecord, drop_of
from doc_assets.archive.photo_lookup import ArchivePictures
from doc_assets.reading.sandbox import DocumentReader
from doc_assets.reports.query_pictures import QueryPictures
from doc_assets.reports.report import PictureSources, write_reports
from doc_assets.reports.result_files import ResultFiles, write_results

_EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class ResultFolders:
    """Where result files are: ``ours`` is the home's folder, which has the results of drops below it."""

    ours: Path

    def of(self, search: SearchRecord) -> Path:
        """Where the files of a search are."""
        drop = drop_of(search.search_id)
        return self.ours / "drops" / drop if drop is not None else Path(search.settings.output_folder)

    def is_ours(self, folder: Path) -> bool:
        """Whether a folder lies in the home's results."""
        return folder.resolve().is_relative_to(self.ours.resolve())


def write_result_files(
    archive: Archive,
    reader: DocumentReader,
    search: SearchRecord,
    folder: Path,
    left_out: Collection[str] = (),
    only: Collection[str] | None = None,
) -> tuple[ResultFiles, Path]:
    """Writes the data files and the report of a search or of a screened drop, without the columns ``left_out``.

    Evidence is drawn of the query documents ``only``, if they are given; that of others stays as it is.

    Returns:
        The data files, and the page that ranks the documents.
    """
    searches = archive.ledger.searches
    results = [result.shown_without(left_out) for result in searches.results(search.search_id)]
    changed = searches.changes(search.search_id)
    drop = drop_of(search.search_id)
    pictures = ArchivePictures(archive, reader)
    if drop is not None:
        title, sources = drop, PictureSources(pictures, pictures)
    else:
        kept = None if search.settings.privacy_mode else QueryPictures(folder)
        title, sources = f"{search.started_at:%Y-%m-%d %H:%M} UTC", PictureSources(kept, pictures)
    files = write_results(search, results, folder, left_out, changed)
    return files, write_reports(search, results, folder, title, sources, changed, only)


def write_home_files(
    archive: Archive,
    reader: DocumentReader,
    folders: ResultFolders,
    changed: Mapping[str, Collection[str]],
    left_out: Collection[str] = (),
) -> None:
    """Writes the files that the home has of searches again; ``changed`` says, by search, whose evidence too."""
    for search_id, documents in changed.items():
        search = archive.ledger.searches.get(search_id)
        folder = folders.of(search)
        if folder.is_dir() and folders.is_ours(folder):
            write_result_files(archive, reader, search, folder, left_out, documents)


def write_anew(
    archive: Archive, reader: DocumentReader, search: SearchRecord, folder: Path, left_out: Collection[str] = ()
) -> None:
    """Writes the files of a search again; evidence of documents without a match goes."""
    shutil.rmtree(folder / _EVIDENCE, ignore_errors=True)
    write_result_files(archive, reader, search, folder, left_out)
