"""Result files on disk without the documents that are forgotten."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from doc_assets.documents.sandbox import DocumentReader
from doc_assets.evidence.query_pictures import QueryPictures
from doc_assets.evidence.report import PictureSources, write_reports
from doc_assets.evidence.result_files import write_results
from doc_assets.forgetting.files import files_below, find
from doc_assets.forgetting.needles import Needles
from doc_assets.ingest.archive import Archive
from doc_assets.ingest.pictures import ArchivePictures
from doc_assets.ledger.searches import SearchRecord
from doc_assets.screening.run import drop_of

_EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class ReportFolders:
    """Where results are.

    Attributes:
        ours: folder of the home; what lies in it is written anew or removed.
    """

    ours: Path

    def of(self, search: SearchRecord) -> Path:
        """Where the files of a search are."""
        drop = drop_of(search.search_id)
        return self.ours / "drops" / drop if drop is not None else Path(search.settings["output_folder"])

    def is_ours(self, folder: Path) -> bool:
        """Whether a folder lies in the home's results."""
        return folder.resolve().is_relative_to(self.ours.resolve())


def write_anew(
    archive: Archive, reader: DocumentReader, search: SearchRecord, folder: Path, left_out: Collection[str] = ()
) -> None:
    """Writes the files of a search again from the ledger; evidence of documents without a match goes."""
    shutil.rmtree(folder / _EVIDENCE, ignore_errors=True)
    results = archive.ledger.searches.results(search.search_id)
    write_results(search, results, folder, left_out)
    pictures = ArchivePictures(archive, reader)
    drop = drop_of(search.search_id)
    if drop is not None:
        write_reports(search, results, folder, drop, PictureSources(pictures, pictures))
        return
    kept = None if search.settings["privacy_mode"] else QueryPictures(folder)
    write_reports(search, results, folder, f"{search.started_at:%Y-%m-%d %H:%M} UTC", PictureSources(kept, pictures))


def remove_traces(folder: Path, needles: Needles) -> list[Path]:
    """Removes what is left in a folder of results: kept query pictures, results that the ledger no longer knows."""
    if not folder.is_dir():
        return []
    removed = [path for path in files_below([folder]) if find(path, needles) is not None]
    for path in removed:
        path.unlink()
    return removed
