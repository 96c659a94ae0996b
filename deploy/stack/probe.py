"""Health probes: ``code-server``, ``webserver [PREFIX]``, ``desk``, ``image-api`` or ``metrics``. 0 is healthy.

None starts Dagster: its own command for the code server takes ten times the CPU of this one.
"""

import json
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 8


def code_server() -> str:
    """Asks the code server whether its code is loaded."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel("127.0.0.1:4000") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=TIMEOUT_S
        )
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else f"status {answer.status}"


def webserver(prefix: str = "") -> str:
    """Asks the web server something that it must ask PostgreSQL: for rows, a type's name alone costs no query."""
    query = json.dumps({"query": "{ runsOrError(limit: 1) { __typename ... on Runs { results { runId } } } }"}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:3000{prefix}/graphql", query, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        answer = json.load(response)
    found = (answer.get("data") or {}).get("runsOrError", {}).get("__typename")
    return "" if found == "Runs" else f"answered {json.dumps(answer)[:300]}"


def desk() -> str:
    """Asks the review desk as the proxy does; it answers nobody else."""
    from doc_assets.settings import load_settings

    settings = load_settings()
    secret = settings.desk_proxy_secret.get_secret_value() if settings.desk_proxy_secret else ""
    shown = {"X-Desk-Proxy": secret, "X-Forwarded-Proto": "https", "Host": next(iter(settings.desk_hosts), "")}
    return _status(urllib.request.Request("http://127.0.0.1:8000/healthz", headers=shown))


def image_api() -> str:
    """Asks the document API, which answers 503 while its archive folder or key table cannot be read."""
    return _status("http://127.0.0.1:5001/healthz")


def metrics() -> str:
    """Asks for figures; a source that is away is one of them."""
    return _status("http://127.0.0.1:9464/metrics")


def _status(url: str | urllib.request.Request) -> str:
    try:
        urllib.request.urlopen(url, timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        return f"answered {error.code}: {error.read(300).decode(errors='replace')}"
    return ""


PROBES = {
    "code-server": code_server,
    "webserver": webserver,
    "desk": desk,
    "image-api": image_api,
    "metrics": metrics,
}

if __name__ == "__main__":
    sys.exit(PROBES[sys.argv[1]](*sys.argv[2:]) or 0)
