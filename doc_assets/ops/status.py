"""What a home holds: what arrived, what is in the archive, in which collections, and what still lies in the inbox."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from doc_assets.archive.archive import Archive, Versions
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import ArchiveCounts
from doc_assets.archive.vectors.base import VectorStore
from doc_assets.errors import FolderUnreachableError
from doc_assets.pipeline.intake import IntakeReport, IntakeRules, intake_rules, preview
from doc_assets.pipeline.rebuild import stale_drops
from doc_assets.runtime import Runtime
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
        inbox = inbox_status(archive.ledger, settings.inbox_dir, intake_rules(settings))
        with runtime.store() as store:
            return _status(archive, store, runtime.alias, versions, inbox)


def _status(archive: Archive, store: VectorStore, alias: str, versions: Versions, inbox: InboxStatus) -> ArchiveStatus:
    counts = archive.ledger.documents.counts()
    photos = archive.ledger.collections.all_photos()
    collection = store.resolve(alias)
    points = _points(archive.ledger, store, collection)
    return ArchiveStatus(
        counts,
        stale_drops(archive.ledger, versions),
        versions.embedder_id,
        collection,
        points.get(collection or "", 0),
        _collections(archive.ledger, points, counts.current),
        photos.get(collection, 0) if collection else max(photos.values(), default=0),
        inbox,
    )


def _points(ledger: Ledger, store: VectorStore, in_use: str | None) -> dict[str, int]:
    """Photos in the collections on record that are there, the one in use among them."""
    names = {each.name for each in ledger.collections.all()} | ({in_use} if in_use else set())
    return {name: store.count(name) for name in names & set(store.collections())}


def _collections(ledger: Ledger, points: Mapping[str, int], current: int) -> list[CollectionStatus]:
    """Those on record; ``current`` documents are in the archive."""
    return [
        CollectionStatus(
            each.name,
            each.state,
            each.embedder,
            each.options,
            points.get(each.name, 0),
            current - ledger.collections.current_documents(each.name),
        )
        for each in ledger.collections.all()
    ]


def inbox_status(ledger: Ledger, folder: Path, rules: IntakeRules) -> InboxStatus:
    """What lies in the drop folder; a folder that cannot be listed is said, not raised."""
    try:
        return _seen(preview(ledger, folder, rules, datetime.now(UTC)), folder)
    except FolderUnreachableError as error:
        return InboxStatus(error=str(error))


def _seen(report: IntakeReport, folder: Path) -> InboxStatus:
    def below(path: str) -> str:
        return display_name(str(real_path(path)).removeprefix(f"{folder}{os.sep}"))

    return InboxStatus(
        documents=report.files,
        n_waiting=len(report.waits),
        waiting=[
            {"file": below(w.path), "state": str(w.state), "until": w.until.isoformat(timespec="seconds")}
            for w in report.waits[:_MAX_NAMED]
        ],
        n_ignored=report.ignored.n,
        ignored=[
            {"file": below(path), "reason": reason}
            for path, reason in sorted(report.ignored.reasons.items())[:_MAX_NAMED]
        ],
        unreadable=[below(path) for path in report.unreadable],
        forgotten=report.forgotten,
    )
