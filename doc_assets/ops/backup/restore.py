"""From a backup to a home: beside the old data first, then in its place, and back if it is not whole."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from upath import UPath

from doc_assets.archive.consistency import Findings
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import BackupError
from doc_assets.ops.backup import databases
from doc_assets.ops.backup.estate import BULK_FOLDERS, Estate
from doc_assets.ops.backup.exchange import Exchange, FolderExchange, PostgresExchange, VectorExchange
from doc_assets.ops.backup.files import files_below
from doc_assets.ops.backup.forgotten import ForgottenList, returned
from doc_assets.ops.backup.manifest import Manifest
from doc_assets.ops.backup.places import database_exchanges, folder_exchanges, require_fitting, stage
from doc_assets.util.files import RESTORE_JOURNAL, is_local, write_atomic

_SWITCHING, HEALTHY = "switching", "healthy"
_MOST_NAMED = 5


@dataclass(slots=True)
class RestoreReport:
    """What a restore came to.

    Attributes:
        folder: of the backup.
        made_at: when that was made.
        counts: what the archive holds by its manifest, proved after loading.
        faults: disagreements that the backup held already, in words.
        forgotten_again: documents of the backup that were forgotten since.
        traces: of these, that are left.
        notes: what its operator should know or do.
    """

    folder: Path
    made_at: datetime
    counts: dict[str, int]
    faults: list[str] = field(default_factory=list)
    forgotten_again: list[str] = field(default_factory=list)
    traces: int = 0
    notes: list[str] = field(default_factory=list)


def restore(
    estate: Estate,
    folder: Path,
    manifest: Manifest,
    lists: Sequence[ForgottenList],
    finish: Callable[[Sequence[str]], int],
) -> RestoreReport:
    """Makes a home what a backup says.

    The backup is read in full before anything changes. Old data stays aside until the restored home has the counts of
    the manifest, has forgotten what was forgotten since, and agrees with itself as well as it did.

    Args:
        estate: the home; nothing else may use it meanwhile.
        folder: of the backup.
        manifest: of the backup.
        lists: what was forgotten, from beside the backups and from the ledger that is replaced.
        finish: ends runs that were in progress in the backup, and makes documents vanish from the restored home;
            returns how many traces of these are left.

    Raises:
        BackupError: if the backup is damaged, does not fit, or is not whole once loaded; then the old data is back.
        ServiceError: if a store does not answer; likewise.
    """
    undo_interrupted(estate)
    require_fitting(estate, folder, manifest)
    vectors = VectorExchange(estate, folder, manifest)
    folders = folder_exchanges(estate, manifest)
    exchanges: list[Exchange] = [*folders, *database_exchanges(estate, folder, manifest), vectors]
    report = RestoreReport(folder, manifest.made_at, dict(manifest.counts))
    _write_journal(estate, _SWITCHING, folders, folder)
    try:
        stage(estate, folder, manifest)
        for one in exchanges:
            one.exchange()
        _require_same_counts(estate, manifest)
        _forget(estate, lists, finish, report)
        _require_health(estate, manifest, report)
    except BaseException:
        for one in reversed(exchanges):
            one.put_back()
        (estate.home / RESTORE_JOURNAL).unlink()
        raise
    _write_journal(estate, HEALTHY, folders, folder)
    _settle(estate, exchanges)
    if vectors.lost:
        report.notes.append(f"The old vectors could not be read and were not kept: {vectors.lost}")
    if not manifest.quiet:
        report.notes.append("The backup was made while runs went on; the next re-index ends what they had begun.")
    return report


def was_interrupted(home: Path) -> bool:
    """Whether a restore into this home was killed; ``undo_interrupted`` ends it."""
    return (home / RESTORE_JOURNAL).exists()


def was_served(home: Path) -> bool:
    """Whether an interrupted restore concerns a database of Dagster; its address is the instance's."""
    journal = json.loads((home / RESTORE_JOURNAL).read_text(encoding="utf-8"))
    return bool(journal.get("served"))


def undo_interrupted(estate: Estate) -> str | None:
    """Ends a restore that was killed: back to the old data, or on to the new if that was healthy already.

    Returns:
        The phase in which it was killed, ``HEALTHY`` if the new data stays; None if there was none.
    """
    if not was_interrupted(estate.home):
        return None
    path = estate.home / RESTORE_JOURNAL
    journal = json.loads(path.read_text(encoding="utf-8"))
    folders = [FolderExchange(Path(at), tuple(names) if names else None) for at, names in journal["folders"]]
    nothing = Path()
    urls = [url for url in (estate.ledger_url, estate.dagster_url) if url and databases.kind_of(url) == "postgresql"]
    exchanges: list[Exchange] = [*folders, *(PostgresExchange(url, nothing) for url in urls), VectorExchange(estate)]
    if journal["phase"] == HEALTHY:
        _settle(estate, exchanges)
        return HEALTHY
    for one in reversed(exchanges):
        one.put_back()
    path.unlink()
    return _SWITCHING


def _settle(estate: Estate, exchanges: Sequence[Exchange]) -> None:
    for one in exchanges:
        one.settle()
    (estate.home / RESTORE_JOURNAL).unlink()


def _write_journal(estate: Estate, phase: str, folders: Sequence[FolderExchange], folder: Path) -> None:
    listed: list[Any] = [[str(one.folder), one.names] for one in folders]
    journal = json.dumps(
        {"phase": phase, "folders": listed, "backup": str(folder), "served": estate.dagster_url is not None}
    )
    write_atomic(UPath(estate.home / RESTORE_JOURNAL), journal.encode())


def _require_same_counts(estate: Estate, manifest: Manifest) -> None:
    differing = []
    parts = [(estate.ledger_url, manifest.ledger)]
    if manifest.dagster is not None and estate.dagster_url is not None:
        parts.append((estate.dagster_url, manifest.dagster))
    for url, part in parts:
        found = databases.live_rows(url, list(part.rows))
        differing += [f"table {name}: {found[name]}, not {n}" for name, n in part.rows.items() if found[name] != n]
    with estate.open_store() as store:
        for name, collection in manifest.collections.items():
            if (points := store.count(name)) != collection.points:
                differing.append(f"collection {name}: {points}, not {collection.points}")
        if not manifest.aliases.items() <= store.aliases().items():
            differing.append(f"aliases: {store.aliases()}")
    if manifest.bulk == "copy" and is_local(estate.bulk):
        for stage in BULK_FOLDERS:
            wanted = sum(name.startswith(f"bulk/{stage}/") for name in manifest.files)
            if (files := sum(1 for _ in files_below(estate.bulk / stage))) != wanted:
                differing.append(f"{stage}: {files} files, not {wanted}")
    if differing:
        raise BackupError(f"The restored home is not what was saved ({'; '.join(differing)}); the old data is back.")


def _forget(
    estate: Estate,
    lists: Sequence[ForgottenList],
    finish: Callable[[Sequence[str]], int],
    report: RestoreReport,
) -> None:
    with Ledger.open(estate.ledger_url, estate.forgotten_key) as ledger:
        names = returned(ledger, [known.tombstones for known in lists])
        foreign = [known for known in lists if not ledger.tombstones.take_in(known.tombstones)]
    report.forgotten_again, report.traces = names, finish(names)
    if foreign:
        report.notes.append(
            "Some tombstones were made with another key than the backup's: documents of the backup that they name were "
            "forgotten again, others that they name may be dropped again unseen."
        )
    until = max((known.known_until for known in lists if known not in foreign), default=report.made_at)
    report.notes.append(
        f"What was forgotten until {until:%Y-%m-%d %H:%M} UTC is forgotten; later requests must be repeated."
    )


def _require_health(estate: Estate, manifest: Manifest, report: RestoreReport) -> None:
    findings = _check(estate)
    if manifest.quiet and findings.n_faults > manifest.faults:
        raise BackupError(
            f"The restored home disagrees with itself in {findings.n_faults} places, the saved one did in "
            f"{manifest.faults}: {' '.join(findings.faults[:_MOST_NAMED])} The old data is back. Are the settings "
            f"those of the backup ({report.folder / 'configuration.json'})?"
        )
    report.faults = findings.faults


def _check(estate: Estate) -> Findings:
    with Ledger.open(estate.ledger_url, estate.forgotten_key) as ledger, estate.open_store() as store:
        return estate.check(ledger, store)
