"""Result files on disk that name documents which are forgotten."""

from pathlib import Path

from doc_assets.ops.erasure.files import files_below, find
from doc_assets.ops.erasure.needles import Needles


def remove_traces(folder: Path, needles: Needles) -> list[Path]:
    """Removes what is left in a folder of results: kept query pictures, results that the ledger no longer knows."""
    if not folder.is_dir():
        return []
    removed = [path for path in files_below([folder]) if find(path, needles) is not None]
    for path in removed:
        path.unlink()
    return removed
