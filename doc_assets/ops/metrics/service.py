"""The page that Prometheus reads: the metrics of a home, served as its settings say."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from anyio import to_thread
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from doc_assets.ops.image_server.serving import address_of, listen, make_server, serve
from doc_assets.ops.metrics import families
from doc_assets.ops.metrics.collector import Source, SourceCollector
from doc_assets.ops.metrics.families import CollectionCounts
from doc_assets.settings import Settings
from doc_assets.util.files import is_local

_PATH = "/metrics"
_MAX_CONNECTIONS = 16
_FIRST_READING_S = 20.0
"""Opening Dagster's instance takes a few seconds; who starts this waits for it, and nobody hears of it as an outage."""

RunFamilies = Callable[[], Iterable[Metric]]
EmbeddedCounts = Callable[[], CollectionCounts | None]


def serve_metrics(
    settings: Settings,
    run_families: RunFamilies,
    embedded_counts: EmbeddedCounts,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Serves metrics until the process is told to end.

    Args:
        settings: of the home.
        run_families: everything that is counted in the orchestrator's records.
        embedded_counts: what the last run that wrote the embedded collection counted; None if there was none.
        host: address to listen on. There is no login: metrics name nothing, and only those who watch should reach it.
        port: 0 for any that is free.
        ready: gets the address when requests are answered.

    Raises:
        SettingsError: if it cannot listen.
    """
    with listen(host, port, has_key=True) as listening:
        app = _app(make_registry(settings, run_families, embedded_counts))
        server = make_server(app, _MAX_CONNECTIONS)
        serve(server, listening, lambda: ready(address_of(listening) + _PATH))


def make_registry(
    settings: Settings,
    run_families: RunFamilies | None,
    embedded_counts: EmbeddedCounts | None,
    first_reading_s: float = _FIRST_READING_S,
) -> CollectorRegistry:
    """Everything that can be asked about a home.

    Args:
        settings: of the home.
        run_families: see ``serve_metrics``; None leaves the orchestrator's records out.
        embedded_counts: see ``serve_metrics``; None leaves an embedded collection out.
        first_reading_s: the longest wait for the first answers of all sources.
    """
    sources = _sources(settings, run_families, embedded_counts)
    collector = SourceCollector(sources, settings.metrics_refresh_s, settings.metrics_timeout_s)
    collector.refresh(first_reading_s)
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


def _sources(
    settings: Settings, run_families: RunFamilies | None, embedded_counts: EmbeddedCounts | None
) -> list[Source]:
    folders = {"home": settings.home, "logs": settings.log_dir}
    if is_local(settings.bulk):
        folders["bulk"] = Path(str(settings.bulk))
    counts = partial(families.server_counts, settings) if settings.qdrant_url else embedded_counts
    sources = [
        Source("build", families.build_families),
        Source("ledger", lambda: families.ledger_families(settings.ledger_address)),
        Source("disks", lambda: families.disk_families(folders)),
    ]
    if run_families is not None:
        sources.append(Source("dagster", run_families))
    if counts is not None:
        sources.append(Source("store", lambda: families.collection_families(counts())))
    if settings.backup_dir is not None:
        sources.append(Source("backups", partial(families.backup_families, settings.backup_dir)))
    if families.count_gpus():
        sources.append(Source("gpus", families.gpu_families))
    return sources


def _app(registry: CollectorRegistry) -> Starlette:
    """The page, in the format that the client prefers."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        content = await to_thread.run_sync(partial(encode, registry))
        return Response(content, media_type=content_type)

    async def front(_request: Request) -> Response:
        return PlainTextResponse(f"Metrics are at {_PATH}.\n")

    return Starlette(routes=[Route(_PATH, metrics, methods=["GET"]), Route("/", front, methods=["GET"])])
