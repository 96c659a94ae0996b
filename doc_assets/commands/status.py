"""``doc-assets status`` and ``doc-assets check``."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doc_assets.commands.console import console, progress_bars
from doc_assets.defs.resources import resources_from, versions_in_use
from doc_assets.ingest.archive import Versions
from doc_assets.ingest.consistency import Findings, check_archive
from doc_assets.ingest.staleness import stale_drops
from doc_assets.ledger.rows import ArchiveCounts
from doc_assets.settings import Settings

if TYPE_CHECKING:
    from doc_assets.defs.resources import (
        ArchiveResource,
        DescriberResource,
        EmbedderResource,
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
class ArchiveStatus:
    """What ``status`` shows.

    Attributes:
        counts: what the ledger counts.
        stale_drops: drops of which a step is missing or outdated.
        embedder: in use.
        collection: that searches use; None if nothing is published.
        points: photos in it.
        collections: all on record, the one in use too.
    """

    counts: ArchiveCounts
    stale_drops: list[str]
    embedder: str
    collection: str | None
    points: int
    collections: list[CollectionStatus]


class _Tools:
    """The resources that both commands use, opened as Dagster would."""

    def __init__(self, settings: Settings) -> None:
        resources = resources_from(settings)
        self.archive: ArchiveResource = resources["archive"]
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
    return ArchiveStatus(counts, stale, versions.embedder_id, collection, points.get(collection or "", 0), collections)


def print_status(settings: Settings, status: ArchiveStatus) -> None:
    """The status in words."""
    out, counts = console(), status.counts
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.arrivals_by_state.items())) or "none"
    out.print(f"home        {settings.home}")
    out.print(f"inbox       {settings.inbox_dir}")
    out.print(f"arrivals    {sum(counts.arrivals_by_state.values())}: {states}")
    out.print(f"archive     {counts.current} documents, {counts.photos} photos, {counts.superseded} older versions")
    out.print(f"drops       {counts.drops}, {len(status.stale_drops)} incomplete or outdated")
    out.print(f"collection  {status.collection or 'none published'}, {status.points} photos")
    out.print(f"embedder    {status.embedder}")
    for other in status.collections:
        if other.name != status.collection:
            out.print(
                f"            {other.state}: {other.name} ({other.embedder} {json.dumps(other.options)}), "
                f"{other.points} photos, {other.documents_missing} documents missing"
            )


def check_home(settings: Settings, *, read_data: bool) -> Findings:
    """Compares everything that is kept."""
    tools = _Tools(settings)
    with progress_bars(), tools.archive.open() as archive, tools.store.open() as store:
        return check_archive(archive, store, tools.store.alias, tools.versions(), read_data=read_data)


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
