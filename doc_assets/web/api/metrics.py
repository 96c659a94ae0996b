"""``/metrics`` of the desk: the home in numbers for Prometheus, by key."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client.exposition import choose_encoder

from doc_assets.web.desk import the_desk


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """What ``serve-metrics`` serves without what the desk does not open: Dagster's records, an embedded collection.

    Sources are read as seldom as there (``DOC_ASSETS_METRICS_REFRESH_S``), in the background; a request waits for
    ``DOC_ASSETS_METRICS_TIMEOUT_S`` at most.
    """
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(the_desk().registry), content_type=content_type)
