"""Which backups lie in a folder of backups, and which of them go."""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from doc_assets.errors import BackupError
from doc_assets.ops.backup.manifest import MANIFEST

_FORMAT = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"^\d{8}T\d{6}Z$")


@dataclass(frozen=True, slots=True)
class Retention:
    """How many backups stay, and for how many days; 0 sets no bound. The newest always stays."""

    n: int = 0
    days: int = 0


def name_of(now: datetime) -> str:
    """Folder of the backup that began at ``now``; names sort by time."""
    return now.astimezone(UTC).strftime(_FORMAT)


def partial_name(now: datetime | None) -> str:
    """Folder of a backup that is not complete; a pattern of all of them for None."""
    return f".{'*' if now is None else name_of(now)}.partial"


def backups_in(root: Path) -> list[Path]:
    """Complete backups, oldest first."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if _NAME.match(path.name) and not path.is_symlink()]
    return sorted(path for path in found if (path / MANIFEST).is_file())


def find_backup(folder: Path) -> Path:
    """The backup that a folder is, or the newest one in it.

    Raises:
        BackupError: if it is neither.
    """
    if (folder / MANIFEST).is_file():
        return folder
    inside = backups_in(folder)
    if not inside:
        raise BackupError(f"{folder} is no backup and holds none: there is no {MANIFEST} in it.")
    return inside[-1]


def drop_old(root: Path, retention: Retention, now: datetime) -> list[Path]:
    """Removes what is beyond the number or older than the days; returns what went."""
    known = backups_in(root)
    beyond = set(known[: -retention.n]) if retention.n else set()
    oldest = name_of(now - timedelta(days=retention.days))
    old = {path for path in known if retention.days and path.name < oldest}
    gone = sorted((beyond | old) - set(known[-1:]))
    for path in gone:
        dropped = path.with_name(f".{path.name}.partial")  # a killed removal is ended by the next backup
        path.rename(dropped)
        shutil.rmtree(dropped)
    return gone
