"""Searches as runs of a Dagster webserver, by its GraphQL API: the one job that the desk may start, and its state."""

from collections.abc import Mapping
from typing import Any

from doc_assets.errors import ServiceError
from doc_assets.web.search_runs import CANCELED, LOST, RunState

_JOB = {
    "repositoryLocationName": "doc_assets",
    "repositoryName": "__repository__",
    "jobName": "search_documents_job",
}
"""What is started, whatever a request says."""
_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on PythonError { message }
} }"""
_STATE = """query State($run: ID!) { runOrError(runId: $run) {
  __typename ... on Run { status } ... on PythonError { message }
} }"""
_WHY = """query Why($run: ID!, $after: String) { logsForRun(runId: $run, afterCursor: $after) {
  ... on EventConnection { cursor hasMore events {
    __typename
    ... on ExecutionStepFailureEvent { error { message } failureMetadata { description } }
    ... on RunFailureEvent { message error { message } }
  } }
} }"""
_QUEUED = frozenset({"QUEUED", "NOT_STARTED"})
_PARTS_OF_LOG = 50
_TIMEOUT_S = 5.0


class DagsterRuns:
    """Runs of ``search_documents_job`` in a deployment; its workers see the home at the same path as the desk.

    Args:
        url: of the webserver, as the desk reaches it.
    """

    def __init__(self, url: str) -> None:
        import httpx

        self._url = f"{url.rstrip('/')}/graphql"
        self._client = httpx.Client(timeout=_TIMEOUT_S)

    def launch(self, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Puts a run into Dagster's queue; see ``SearchRuns``."""
        params = {
            "selector": _JOB,
            "runConfigData": {"ops": {"match_query_documents": {"config": dict(config)}}},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._asked(_LAUNCH, params=params)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise ServiceError(
                f"Dagster did not start the search ({answer['__typename']}: {_why_not(answer)}). See whether the code "
                "location doc_assets is loaded, and of the same version as the desk."
            )
        return str(answer["run"]["runId"])

    def state(self, run_id: str) -> RunState:
        """How far a run is by Dagster's records; see ``SearchRuns``."""
        answer = self._asked(_STATE, run=run_id)["runOrError"]
        if answer["__typename"] == "RunNotFoundError":
            return RunState("failed", failure=f"{LOST}: Dagster knows no run {run_id}.")
        if answer["__typename"] != "Run":
            raise ServiceError(f"Dagster does not say how run {run_id} is: {_why_not(answer)}.")
        status = answer["status"]
        if status in _QUEUED:
            return RunState("queued")
        if status == "SUCCESS":
            return RunState("done")
        if status == "CANCELED":
            return RunState("failed", failure=f"{CANCELED}: somebody ended the run in Dagster.")
        return RunState("failed", failure=self._failure(run_id)) if status == "FAILURE" else RunState("running")

    def close(self) -> None:
        """Closes connections; runs go on."""
        self._client.close()

    def _failure(self, run_id: str) -> str:
        """What the failed step said, else what the run did."""
        after, said = None, f"{LOST}: the run failed without a word; see it in Dagster."
        for _ in range(_PARTS_OF_LOG):
            part = self._asked(_WHY, run=run_id, after=after)["logsForRun"]
            for event in part.get("events", []):
                if event["__typename"] == "ExecutionStepFailureEvent":
                    described = (event.get("failureMetadata") or {}).get("description")
                    return described or _first_line((event.get("error") or {}).get("message"))
                if event["__typename"] == "RunFailureEvent":
                    said = _first_line((event.get("error") or {}).get("message") or event["message"])
            if not part.get("hasMore"):
                break
            after = part["cursor"]
        return said

    def _asked(self, query: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        import httpx

        try:
            answer = self._client.post(self._url, json={"query": query, "variables": variables})
            answer.raise_for_status()
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(
                f"Dagster's webserver {self._url} does not answer ({type(error).__name__}). See that it runs, and that "
                "DOC_ASSETS_DAGSTER_URL is its address as the desk reaches it."
            ) from error
        if not isinstance(content.get("data"), dict):
            raise ServiceError(f"Dagster's webserver {self._url} refused a question of the desk: {_why_not(content)}.")
        found: dict[str, Any] = content["data"]
        return found


def _why_not(answer: Mapping[str, Any]) -> str:
    messages = [each.get("message", "") for each in answer.get("errors", [])]
    return " ".join([str(answer.get("message", "")), *map(str, messages)]).strip() or "no reason given"


def _first_line(message: str | None) -> str:
    return next(iter((message or "").strip().splitlines()), "") or f"{LOST}: the run failed; see it in Dagster."
