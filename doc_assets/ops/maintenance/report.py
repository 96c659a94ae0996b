"""What maintenance deleted, or would delete."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_MAX_LISTED = 1000


@dataclass(slots=True)
class Tally:
    """Things of one kind: how many went, with how many bytes."""

    n: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class MaintenanceReport:
    """What went; at most a thousand paths are listed, all are counted.

    Attributes:
        dry_run: nothing went, it was only counted.
        kinds: by kind of thing.
        paths: what went.
        failed: what could not be deleted, with the reason.
        n_failed: how many of these.
    """

    dry_run: bool
    kinds: dict[str, Tally] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    n_failed: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes in all."""
        return sum(tally.size_bytes for tally in self.kinds.values())

    def take(self, kind: str, path: object, size_bytes: int, delete: Callable[[], object]) -> None:
        """Deletes one thing unless this is a dry run, and counts it; one that cannot be deleted is named."""
        if not self.dry_run:
            try:
                delete()
            except FileNotFoundError:
                return  # another maintenance was quicker
            except OSError as error:
                self.n_failed += 1
                if len(self.failed) < _MAX_LISTED:
                    self.failed.append(f"{path}: {error.strerror or error}")
                return
        tally = self.kinds.setdefault(kind, Tally())
        tally.n += 1
        tally.size_bytes += size_bytes
        if len(self.paths) < _MAX_LISTED:
            self.paths.append(str(path))


def own_files(folder: Path) -> list[Path]:
    """Regular files below a folder; links are not followed and not listed."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
