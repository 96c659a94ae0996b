"""``doc-assets status`` and ``doc-assets check``."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from doc_assets.archive.archive import Versions
from doc_assets.archive.consistency import Findings, check_archive
from doc_assets.archive.ledger.database import is_absent
from doc_assets.archive.ledger.integrity import sqlite_faults
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.ledger.rows import ArchiveCounts
from doc_assets.commands.console import console, progress_bars
from doc_assets.defs.resources import resources_from, versions_in_use
from doc_assets.errors import FolderUnreachableError
from doc_assets.features.model_folders import differences, model_names
from doc_assets.pipeline.intake import preview
from doc_assets.pipeline.staleness import stale_drops
from doc_assets.settings import Settings
from doc_assets.sources.names import display_name, real_path

_MAX_NAMED = 20

if TYPE_CHECKING:
    from doc_assets.defs.resources import (
        ArchiveResource,
        DescriberResource,
        EmbedderResource,
        IntakeResource,
        PhotoCutterResource,
        VectorStoreResource,
    )


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


class _Tools:
    """The resources that both commands use, opened as Dagster would."""

    def __init__(self, settings: Settings) -> None:
        resources = resources_from(settings)
        self.archive: ArchiveResource = resources["archive"]
        self.intake: IntakeResource = resources["intake"]
        self.cutter: PhotoCutterResource = resources["photo_cutter"]
        self.embedder: EmbedderResource = resources["embedder"]
        self.describer: DescriberResource = resources["describer"]
        self.store: VectorStoreResource = resources["vector_store"]

    def versions(self) -> Versions:
        """What the settings would make of a drop."""
        return versions_in_use(self.cutter, self.embedder, self.describer)


def archive_status(settings: Settings) -> ArchiveStatus:
    """What is in the archive."""
    tools = _Tools(settings)
    versions = tools.versions()
    with tools.archive.open() as archive:
        counts = archive.ledger.documents.counts()
        stale = stale_drops(archive.ledger, versions)
        recorded = archive.ledger.collections.all()
        photos = archive.ledger.collections.all_photos()
        inbox = _inbox_status(archive.ledger, tools.intake)
        held = {each.name: archive.ledger.collections.current_documents(each.name) for each in recorded}
    with tools.store.open() as store:
        collection = store.resolve(tools.store.alias)
        names = {each.name for each in recorded} | ({collection} if collection else set())
        points = {name: store.count(name) for name in names & set(store.collections())}
    collections = [
        CollectionStatus(
            each.name,
            each.state,
            each.embedder,
            each.options,
            points.get(each.name, 0),
            counts.current - held[each.name],
        )
        for each in recorded
    ]
    indexed = photos.get(collection, 0) if collection else max(photos.values(), default=0)
    held_now = points.get(collection or "", 0)
    return ArchiveStatus(counts, stale, versions.embedder_id, collection, held_now, collections, indexed, inbox)


def _inbox_status(ledger: Ledger, intake: "IntakeResource") -> InboxStatus:
    folder = Path(intake.inbox)
    try:
        report = preview(ledger, folder, intake.rules(), datetime.now(UTC))
    except FolderUnreachableError as error:
        return InboxStatus(error=str(error))

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


def print_status(settings: Settings, status: ArchiveStatus) -> None:
    """The status in words."""
    out, counts = console(), status.counts
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.arrivals_by_state.items())) or "none"
    out.print(f"home        {settings.home}")
    out.print(f"inbox       {settings.inbox_dir}")
    for line in _inbox_lines(status.inbox):
        out.print(f"            {line}")
    out.print(f"arrivals    {sum(counts.arrivals_by_state.values())}: {states}")
    out.print(f"archive     {counts.current} documents, {counts.photos} photos, {counts.superseded} older versions")
    out.print(f"drops       {counts.drops}, {len(status.stale_drops)} incomplete or outdated")
    out.print(f"collection  {status.collection or 'none published'}, {status.points} photos")
    if status.points < status.photos_indexed:
        out.print(
            f"            INCOMPLETE: the ledger counts {status.photos_indexed} photos in it; run "
            "`doc-assets rebuild-index`."
        )
    out.print(f"embedder    {status.embedder}")
    for other in status.collections:
        if other.name != status.collection:
            out.print(
                f"            {other.state}: {other.name} ({other.embedder} {json.dumps(other.options)}), "
                f"{other.points} photos, {other.documents_missing} documents missing"
            )


def _inbox_lines(inbox: InboxStatus) -> Iterator[str]:
    if inbox.error:
        yield inbox.error
        return
    yield f"{inbox.documents} documents, {inbox.n_waiting} of them wait, {inbox.n_ignored} entries ignored"
    for wait in inbox.waiting:
        yield f"waits: {wait['file']} {wait['state']}, until {wait['until']}"
    if inbox.n_waiting > len(inbox.waiting):
        yield f"... and {inbox.n_waiting - len(inbox.waiting)} more wait"
    for passed in inbox.ignored:
        yield f"ignored: {passed['file']}: {passed['reason']}"
    if inbox.n_ignored > len(inbox.ignored):
        yield f"... and {inbox.n_ignored - len(inbox.ignored)} more are ignored"
    for path in inbox.unreadable[:_MAX_NAMED]:
        yield f"cannot be looked into: {path}"
    if inbox.forgotten:
        yield f"{inbox.forgotten} were forgotten and are not taken"


def check_home(settings: Settings, *, read_data: bool) -> Findings:
    """Compares everything that is kept; a database that is damaged is not looked into further."""
    tools = _Tools(settings)
    damaged = _database_faults(settings) if read_data else []
    if any(is_ledger for is_ledger, _ in damaged):
        findings = Findings()
    else:
        with progress_bars(), tools.archive.open() as archive, tools.store.open() as store:
            findings = check_archive(
                archive,
                store,
                tools.store.alias,
                tools.versions(),
                read_data=read_data,
                embedder=tools.embedder.load() if read_data else None,
            )
    for _, fault in damaged:
        findings.add(fault)
    if read_data:
        for name in model_names(settings.models_dir):
            for fault in differences(settings.models_dir / name):
                findings.add(f"Model {name}: {fault}; remove its folder and add it again.")
    return findings


def _database_faults(settings: Settings) -> list[tuple[bool, str]]:
    """What is wrong with the home's SQLite files, and whether it is the ledger's."""
    ledger = make_url(settings.ledger_address)
    found = []
    if ledger.get_backend_name() == "sqlite" and not is_absent(settings.ledger_address):
        path = Path(str(ledger.database))
        found += [(True, f"The ledger {path} is damaged: {fault}. Restore a backup.") for fault in sqlite_faults(path)]
    others = sorted(settings.dagster_home.rglob("*.db"))
    index = settings.home / "file_index.sqlite"
    for path in (*others, *([index] if index.exists() else [])):
        if path.stat().st_size:
            remedy = "delete it, it is made again" if path == index else "restore a backup"
            found += [(False, f"The database {path} is damaged: {fault}; {remedy}.") for fault in sqlite_faults(path)]
    return found


def print_findings(findings: Findings) -> None:
    """The findings in words."""
    out = console()
    out.print(
        f"{findings.documents} documents, {findings.photos} photos, {findings.vectors} vectors, "
        f"{findings.points} points: "
        + ("all agree." if not findings.n_faults else f"{findings.n_faults} disagreements.")
    )
    for fault in findings.faults:
        out.print(f"  {fault}")
