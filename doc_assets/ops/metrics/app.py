"""The page that Prometheus reads."""

from functools import partial

from anyio import to_thread
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

METRICS_PATH = "/metrics"


def make_app(registry: CollectorRegistry) -> Starlette:
    """``/metrics``, in the format that the asker prefers."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        content = await to_thread.run_sync(partial(encode, registry))
        return Response(content, media_type=content_type)

    async def front(_request: Request) -> Response:
        return PlainTextResponse(f"Figures are at {METRICS_PATH}.\n")

    return Starlette(routes=[Route(METRICS_PATH, metrics, methods=["GET"]), Route("/", front, methods=["GET"])])
