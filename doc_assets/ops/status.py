"""What a home holds, what still lies in its inbox, and whether what it keeps is whole."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from doc_assets.archive.consistency import Findings
from doc_assets.archive.ledger.collections import Collection
from doc_assets.archive.ledger.database import is_absent
from doc_assets.archive.ledger.integrity import sqlite_faults
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import ArchiveCounts
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import FolderUnreachableError
from doc_assets.features.model_folders import differences, model_names
from doc_assets.pipeline.intake import IntakeReport, IntakeRules, intake_rules, preview
from doc_assets.pipeline.staleness import stale_drops
from doc_assets.runtime import Runtime
from doc_assets.settings import Settings
from doc_assets.sources.names import display_name, real_path

_MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """A collection on record.

    Attributes:
        name, state, embedder, options: see ``ledger.collections.Collection``.
        points: photos in it.
        documents_missing: current documents that it does not hold.
    """

    name: str
    state: str
    embedder: str
    options: dict[str, Any]
    points: int
    documents_missing: int


@dataclass(frozen=True, slots=True)
class InboxStatus:
    """What lies in the drop folder.

    Attributes:
        documents: files that are documents, ingested or not.
        n_waiting: those that are not ingested yet.
        waiting: the first of them: file, what it waits for, until when (RFC 3339).
        n_ignored: files and folders that are not taken.
        ignored: the first of them: file, reason.
        unreadable: paths that cannot be looked into.
        forgotten: documents that were forgotten and are not taken.
        error: why the folder cannot be listed; empty if it can.
    """

    documents: int = 0
    n_waiting: int = 0
    waiting: list[dict[str, str]] = field(default_factory=list)
    n_ignored: int = 0
    ignored: list[dict[str, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    forgotten: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """What ``status`` shows.

    Attributes:
        counts: what the ledger counts.
        stale_drops: drops of which a step is missing or outdated.
        embedder: in use.
        collection: that searches use; None if nothing is published.
        points: photos in it.
        collections: all on record, the one in use too.
        photos_indexed: photos that the ledger counts in the collection that searches use, or in the largest if there
            is none; more than ``points`` means that it is incomplete.
        inbox: what lies in the drop folder.
    """

    counts: ArchiveCounts
    stale_drops: list[str]
    embedder: str
    collection: str | None
    points: int
    collections: list[CollectionStatus]
    photos_indexed: int = 0
    inbox: InboxStatus = field(default_factory=InboxStatus)


def archive_status(runtime: Runtime) -> ArchiveStatus:
    """What is in the archive, and what lies in the drop folder."""
    versions, settings = runtime.versions(), runtime.settings
    with runtime.archive() as archive:
        ledger = archive.ledger
        inbox = inbox_status(ledger, settings.inbox_dir, intake_rules(settings))
        with runtime.store() as store:
            used = store.resolve(runtime.alias)
            points = _points(ledger, store, used)
        counts, photos = ledger.documents.counts(), ledger.collections.all_photos()
        return ArchiveStatus(
            counts,
            stale_drops(ledger, versions),
            versions.embedder_id,
            used,
            points.get(used or "", 0),
            [_collection_status(ledger, each, points, counts.current) for each in ledger.collections.all()],
            photos.get(used, 0) if used else max(photos.values(), default=0),
            inbox,
        )


def _points(ledger: Ledger, store: VectorStore, in_use: str | None) -> dict[str, int]:
    """Photos in the collections on record that are there, the one in use among them."""
    names = {each.name for each in ledger.collections.all()} | ({in_use} if in_use else set())
    return {name: store.count(name) for name in names & set(store.collections())}


def _collection_status(ledger: Ledger, found: Collection, points: Mapping[str, int], current: int) -> CollectionStatus:
    """One of those on record; ``current`` documents are in the archive."""
    missing = current - ledger.collections.current_documents(found.name)
    n_points = points.get(found.name, 0)
    return CollectionStatus(found.name, found.state, found.embedder, found.options, n_points, missing)


def inbox_status(ledger: Ledger, folder: Path, rules: IntakeRules) -> InboxStatus:
    """What lies in the drop folder; a folder that cannot be listed is said, not raised."""
    try:
        return _seen(preview(ledger, folder, rules, datetime.now(UTC)), folder)
    except FolderUnreachableError as error:
        return InboxStatus(error=str(error))


def _seen(report: IntakeReport, folder: Path) -> InboxStatus:
    def below(path: str) -> str:
        return display_name(str(real_path(path)).removeprefix(f"{folder}{os.sep}"))

    ignored = sorted(report.ignored.reasons.items())
    return InboxStatus(
        documents=report.files,
        n_waiting=len(report.waits),
        waiting=[
            {"file": below(w.path), "state": str(w.state), "until": w.until.isoformat(timespec="seconds")}
            for w in report.waits[:_MAX_NAMED]
        ],
        n_ignored=report.ignored.n,
        ignored=[{"file": below(path), "reason": reason} for path, reason in ignored[:_MAX_NAMED]],
        unreadable=[below(path) for path in report.unreadable],
        forgotten=report.forgotten,
    )


def check_home(settings: Settings, compare: Callable[[], Findings], *, read_data: bool) -> Findings:
    """Compares everything that is kept; a ledger that is damaged is not looked into further.

    Args:
        settings: of the home.
        compare: opens the archive and compares what it holds.
        read_data: whether databases and models are read as well.
    """
    if not read_data:
        return compare()
    of_ledger, others = list(_ledger_faults(settings)), list(_other_faults(settings))
    findings = Findings() if of_ledger else compare()
    for fault in (*of_ledger, *others, *_model_faults(settings.models_dir)):
        findings.add(fault)
    return findings


def _ledger_faults(settings: Settings) -> Iterator[str]:
    ledger = make_url(settings.ledger_address)
    if ledger.get_backend_name() == "sqlite" and not is_absent(settings.ledger_address):
        path = Path(str(ledger.database))
        for fault in sqlite_faults(path):
            yield f"The ledger {path} is damaged: {fault}. Restore a backup."


def _other_faults(settings: Settings) -> Iterator[str]:
    index = settings.home / "file_index.sqlite"
    for path in (*sorted(settings.dagster_home.rglob("*.db")), *([index] if index.exists() else [])):
        if path.stat().st_size:
            remedy = "delete it, it is made again" if path == index else "restore a backup"
            for fault in sqlite_faults(path):
                yield f"The database {path} is damaged: {fault}; {remedy}."


def _model_faults(folder: Path) -> Iterator[str]:
    for name in model_names(folder):
        for fault in differences(folder / name):
            yield f"Model {name}: {fault}; remove its folder and add it again."
