"""Key tables that lie in a folder and wait to be worked off."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from doc_assets.errors import FolderUnreachableError
from doc_assets.sources.folders import FileStat
from doc_assets.sources.key_tables.records import SUFFIXES
from doc_assets.sources.names import display_name
from doc_assets.util.files import fitting_name

DONE_SUFFIX = ".done"


@dataclass(frozen=True, slots=True)
class WaitingTable:
    """A key table as last seen."""

    path: Path
    stat: FileStat

    @property
    def version(self) -> str:
        """Names this content of this file; a changed table is another one."""
        return f"{display_name(self.path.name)}:{self.stat.size_bytes}:{self.stat.mtime_ns}"


def waiting_tables(folder: Path) -> list[WaitingTable]:
    """The key tables of a folder by name; links, hidden and unfinished files are left out.

    Raises:
        FolderUnreachableError: if it cannot be listed.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise FolderUnreachableError(f"The folder {folder} cannot be listed: {error.strerror or error}.") from error
    return [
        WaitingTable(path, FileStat.of(path.stat()))
        for path in paths
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~$")) and not path.is_symlink()
    ]


def retire(table: WaitingTable) -> Path:
    """Renames a table that was worked off; an earlier one of the same name stays."""
    endings = (f".{number}{DONE_SUFFIX}" if number > 1 else DONE_SUFFIX for number in count(1))
    targets = (table.path.with_name(fitting_name("", table.path.name, ending)) for ending in endings)
    return table.path.rename(next(target for target in targets if not target.exists()))
