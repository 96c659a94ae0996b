"""Folders of backups, and the manifest of a backup: what it holds, with the size and digest of every file.

A backup may come from another machine, so the manifest is read as strictly as any outside input.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from upath import UPath

from doc_assets.errors import BackupError
from doc_assets.util.files import write_atomic

_NAME_FORMAT = "%Y%m%dT%H%M%SZ"
_NAME_PATTERN = re.compile(r"^\d{8}T\d{6}Z$")

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 2 << 30
FORMAT = 1


def _safe_path(text: str) -> str:
    path = PurePosixPath(text)
    parts = text.split("/")
    is_plain = not path.is_absolute() and "\\" not in text and "\0" not in text and len(text) < 1000  # noqa: PLR2004
    if not is_plain or any(not part or part.startswith(".") for part in parts) or text == MANIFEST:
        raise ValueError("not a plain path below the backup")
    return text


RelativePath = Annotated[str, AfterValidator(_safe_path)]
CollectionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Strict):
    """Size and digest of a file."""

    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class DatabasePart(_Strict):
    """A dumped database: the file, and how many rows its tables have."""

    kind: Literal["sqlite", "postgresql"]
    file: RelativePath
    revision: str | None
    rows: dict[str, int]


class CollectionPart(_Strict):
    """An exported collection."""

    file: RelativePath
    dim: int = Field(ge=1, le=1 << 16)
    points: int = Field(ge=0)


class AuditPart(_Strict):
    """How far the audit of the review desk had come: so many entries, the last one with this digest."""

    entries: int = Field(ge=0)
    last_digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(_Strict):
    """Everything about a backup.

    Attributes:
        format: of this manifest.
        home: name of the home it was made of.
        made_at: when it began.
        versions: of the program and of what it stands on.
        ledger: the dump of the ledger; its revision is the schema's.
        dagster: dump of Dagster's database; None if its records are SQLite files of the backup.
        bulk: whether documents and tables were copied, or lie where they lay (``bulk_root``).
        collections, aliases: of the vector store.
        forgotten: how many documents and contents were filed as forgotten.
        quiet: whether nothing was written to the ledger and no run was in progress meanwhile.
        faults: in how many places ledger, files and collection disagreed, as `doc-assets check` counts them.
        counts: what the archive held.
        files: of the backup itself, but for the manifest.
        referenced: files below ``bulk_root`` that were not copied.
        audit: of the review desk, at least so far; None in backups of earlier versions.
    """

    format: Literal[1]
    home: str
    made_at: AwareDatetime
    versions: dict[str, str]
    ledger: DatabasePart
    dagster: DatabasePart | None
    bulk: Literal["copy", "reference"]
    bulk_root: str
    collections: dict[CollectionName, CollectionPart]
    aliases: dict[CollectionName, CollectionName]
    forgotten: int = Field(ge=0)
    quiet: bool
    faults: int = Field(ge=0)
    counts: dict[str, int]
    files: dict[RelativePath, FileEntry]
    referenced: dict[RelativePath, FileEntry]
    audit: AuditPart | None = None

    @property
    def size_bytes(self) -> int:
        """Of all files of the backup."""
        return sum(entry.size_bytes for entry in self.files.values())

    def write(self, folder: Path) -> None:
        """Writes it into a backup's folder."""
        write_atomic(UPath(folder / MANIFEST), (self.model_dump_json(indent=1) + "\n").encode())


def parse_manifest(content: bytes, where: str) -> Manifest:
    """The manifest in these bytes.

    Raises:
        BackupError: if it is none, of another format, or names a file outside the backup.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BackupError(
            f"{where} is no manifest of format {FORMAT}: {place}: {first['msg']}. Was it changed, or made by another "
            "version of this program?"
        ) from error


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the backup in a folder.

    Raises:
        BackupError: if there is none or it cannot be used.
    """
    path = folder / MANIFEST
    try:
        if path.is_symlink() or path.stat().st_size > MAX_MANIFEST_BYTES:
            raise BackupError(f"{path} is a link or larger than {MAX_MANIFEST_BYTES} bytes; this is no backup.")
        return parse_manifest(path.read_bytes(), str(path))
    except OSError as error:
        raise BackupError(f"{folder} is no backup: its {MANIFEST} cannot be read ({error.strerror}).") from error


@dataclass(frozen=True, slots=True)
class Retention:
    """How many backups stay, and for how many days; 0 sets no bound. The newest always stays."""

    n: int = 0
    days: int = 0


def name_of(now: datetime) -> str:
    """Folder of the backup that began at ``now``; names sort by time."""
    return now.astimezone(UTC).strftime(_NAME_FORMAT)


def partial_name(now: datetime | None) -> str:
    """Folder of a backup that is not complete; a pattern of all of them for None."""
    return f".{'*' if now is None else name_of(now)}.partial"


def backups_in(root: Path) -> list[Path]:
    """Complete backups, oldest first."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if _NAME_PATTERN.match(path.name) and not path.is_symlink()]
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
