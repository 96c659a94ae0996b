"""What the web server of the running stack says: runs in progress, and whether its code locations load."""

from __future__ import annotations

import json
from typing import Any

from deploy.ops.engine import Compose, OperatorError

RUNS = "{ runsOrError(filter: {statuses: [STARTING, STARTED, CANCELING]}) { ... on Runs { results { runId } } } }"
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name } } } }"
RELOAD = """mutation Reload($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename
  ... on WorkspaceLocationEntry { loadStatus
    locationOrLoadError { __typename ... on PythonError { message causes { message } } } } } }"""
ASK = """
import sys, urllib.error, urllib.request
def ask(prefix):
    url, kind = f"http://127.0.0.1:3000{prefix}/graphql", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, sys.argv[1].encode(), kind)
    return urllib.request.urlopen(request, timeout=60).read().decode()
try:
    print(ask("/dagster"))
except urllib.error.HTTPError as error:
    if error.code not in (404, 405):
        raise
    print(ask(""))  # a release from before 2026-11-28
"""
"""Asked from inside its container: nothing else than the proxy reaches it, and the proxy wants a password."""


def runs_in_progress(compose: Compose) -> list[str]:
    """Ids of runs that work now; those in the queue are not among them."""
    return [str(run["runId"]) for run in _ask(compose, RUNS)["runsOrError"]["results"]]


def reload_locations(compose: Compose) -> list[str]:
    """Loads every code location anew.

    Returns:
        Their names.

    Raises:
        OperatorError: if one does not load.
    """
    names = [entry["name"] for entry in _ask(compose, LOCATIONS)["workspaceOrError"]["locationEntries"]]
    for name in names:
        entry = _ask(compose, RELOAD, name=name)["reloadRepositoryLocation"]
        found = entry.get("locationOrLoadError") or {}
        if entry.get("loadStatus") != "LOADED" or found.get("__typename") != "RepositoryLocation":
            said = [found.get("message", str(entry)), *(cause["message"] for cause in found.get("causes") or [])]
            raise OperatorError(f"Code location {name} does not load: {' '.join(said)[-1500:].strip()}")
    if not names:
        raise OperatorError("The web server knows no code location.")
    return names


def _ask(compose: Compose, query: str, **variables: str) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables})
    answer = json.loads(compose("exec", "-T", "webserver", "python", "-c", ASK, body).stdout)
    if "errors" in answer:
        raise OperatorError(f"The web server refused a question: {json.dumps(answer['errors'])[:500]}")
    data: dict[str, Any] = answer["data"]
    return data
