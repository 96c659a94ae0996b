"""The figures of a home, served as its settings say."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric

from doc_assets.ops.backup.manifest import MANIFEST
from doc_assets.ops.backup.retention import backups_in
from doc_assets.ops.doctor.services import connect_briefly
from doc_assets.ops.image_server.serving import address_of, listen, make_server, serve
from doc_assets.ops.metrics.app import METRICS_PATH, make_app
from doc_assets.ops.metrics.archive import (
    CollectionFigures,
    collection_families,
    ledger_families,
    probe_ledger,
    server_figures,
)
from doc_assets.ops.metrics.cards import card_families, count_cards
from doc_assets.ops.metrics.machine import backup_families, build_families, disk_families
from doc_assets.ops.metrics.source import Source, SourceCollector
from doc_assets.settings import Settings
from doc_assets.util.files import is_local

_MAX_CONNECTIONS = 16
_FIRST_LOOK_S = 20.0
"""Opening Dagster's instance takes a few seconds; who starts this waits for it, and nobody hears of it as an outage."""


class OrchestratorFigures(Protocol):
    """What is asked of the orchestrator's records."""

    def families(self) -> Iterable[Metric]:
        """Everything that is counted in them."""

    def probe(self) -> None:
        """Raises if they cannot be read."""

    def collection(self, folder: Path, alias: str) -> CollectionFigures | None:
        """What the last run that wrote the embedded collection counted; None if there was none."""


def serve_metrics(
    settings: Settings,
    open_records: Callable[[], OrchestratorFigures],
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Serves figures until the process is told to end.

    Args:
        settings: of the home.
        open_records: a reader of the orchestrator's records, each time another one.
        host: address to listen on. There is no login: figures name nothing, and only those who watch should reach it.
        port: 0 for any that is free.
        ready: gets the address when requests are answered.

    Raises:
        SettingsError: if it cannot listen.
    """
    with ExitStack() as stack:
        listening = stack.enter_context(listen(host, port, has_key=True))
        app = make_app(make_registry(settings, open_records))
        server = make_server(app, _MAX_CONNECTIONS)
        serve(server, listening, lambda: ready(address_of(listening) + METRICS_PATH))


def make_registry(settings: Settings, open_records: Callable[[], OrchestratorFigures]) -> CollectorRegistry:
    """Everything that can be asked about a home, asked once already."""
    registry = CollectorRegistry()
    collector = SourceCollector(
        _sources(settings, open_records), settings.metrics_refresh_s, settings.metrics_timeout_s
    )
    collector.look(_FIRST_LOOK_S)
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


def _sources(settings: Settings, open_records: Callable[[], OrchestratorFigures]) -> list[Source]:
    runs, records = open_records(), open_records()  # two, because each source has a thread of its own
    places = {"home": settings.home, "logs": settings.log_dir}
    if is_local(settings.bulk):
        places["bulk"] = Path(str(settings.bulk))

    def collection() -> CollectionFigures | None:
        if settings.qdrant_url:
            return server_figures(lambda: connect_briefly(settings), settings.ledger_address, settings.collection_alias)
        return records.collection(settings.qdrant_dir, settings.collection_alias)

    sources = [
        Source("build", build_families),
        Source(
            "ledger",
            lambda: ledger_families(settings.ledger_address),
            probe=lambda: probe_ledger(settings.ledger_address),
        ),
        Source("dagster", runs.families, probe=runs.probe),
        Source("store", lambda: collection_families(collection()), probe=collection),
        Source("disks", lambda: disk_families(places)),
    ]
    backups = settings.backup_dir
    if backups is not None:
        sources.append(Source("backups", lambda: backup_families(_completed_in(backups))))
    if count_cards():
        sources.append(Source("cards", card_families))
    return sources


def _completed_in(folder: Path) -> list[float]:
    """When each backup in a folder was completed.

    Raises:
        OSError: if the folder is away.
    """
    folder.stat()
    return [(backup / MANIFEST).stat().st_mtime for backup in backups_in(folder)]
