"""Submits a job to a running Dagster through GraphQL and follows it, so that this machine needs no other access.

Dagster itself is not imported: a submission is a handful of HTTP requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from graph_platform.cli.output import Output
from graph_platform.cli.runs import export_line
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.redaction import masked
from graph_platform.settings import Settings

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

_REPOSITORIES = """
query Repositories {
  repositoriesOrError {
    __typename
    ... on RepositoryConnection { nodes { name location { name } jobs { name } } }
    ... on PythonError { message }
  }
  workspaceOrError {
    __typename
    ... on Workspace { locationEntries { name locationOrLoadError { __typename ... on PythonError { message } } } }
  }
}
"""

_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId status } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
    ... on PipelineNotFoundError { message }
    ... on UnauthorizedError { message }
    ... on InvalidSubsetError { message }
    ... on RunConflict { message }
  }
}
"""

_METADATA = """
metadataEntries {
  label
  ... on JsonMetadataEntry { jsonString }
  ... on IntMetadataEntry { intValue }
  ... on FloatMetadataEntry { floatValue }
}
"""

_FOLLOW = f"""
query Follow($runId: ID!, $cursor: String) {{
  runOrError(runId: $runId) {{ __typename ... on Run {{ status }} ... on PythonError {{ message }} }}
  logsForRun(runId: $runId, afterCursor: $cursor) {{
    __typename
    ... on PythonError {{ message }}
    ... on EventConnection {{
      cursor
      hasMore
      events {{
        __typename
        ... on MessageEvent {{ message level }}
        ... on MaterializationEvent {{ assetKey {{ path }} {_METADATA} }}
        ... on ExecutionStepOutputEvent {{ {_METADATA} }}
        ... on ExecutionStepFailureEvent {{
          error {{ message causes {{ message }} }}
          failureMetadata {{ {_METADATA} }}
        }}
        ... on RunFailureEvent {{ error {{ message }} }}
      }}
    }}
  }}
}}
"""


def run(
    settings: Settings, job: str, config: Mapping[str, Any], tags: Mapping[str, str], output: Output, wait: bool
) -> dict[str, Any]:
    """See `graph_platform.cli.runs.Runner.run`."""
    with _Dagster(settings.dagster_url) as dagster:
        run_id = dagster.launch(job, config, tags)
        output.progress(f"run {dagster.run_url(run_id)}")
        if not wait:
            return {"id": None, "status": "queued", "run_id": run_id, "run_url": dagster.run_url(run_id)}
        try:
            return _follow(dagster, run_id, output)
        except KeyboardInterrupt:
            output.progress(f"the run goes on: {dagster.run_url(run_id)}")
            raise


def _follow(dagster: _Dagster, run_id: str, output: Output) -> dict[str, Any]:
    where = {"run_id": run_id, "run_url": dagster.run_url(run_id)}
    said, error, result = "", None, None
    for event in dagster.events(run_id):
        kind = event["__typename"]
        if kind == "LogMessageEvent" and event["level"] in {"INFO", "WARNING", "ERROR"}:
            output.progress(event["message"])
        elif kind == "MaterializationEvent":
            output.progress(export_line(event["assetKey"]["path"], _entries(event)))
        elif kind == "ExecutionStepOutputEvent":
            result = _entries(event).get("result", result)
        elif kind == "ExecutionStepFailureEvent":
            error = _entries(event.get("failureMetadata") or {}).get("error")
            causes = (event.get("error") or {}).get("causes") or [event.get("error") or {}]
            said = causes[-1].get("message") or said
        elif kind == "RunFailureEvent":
            said = said or (event.get("error") or {}).get("message") or event["message"]
        elif kind == "RunCanceledEvent":
            said = "the run was canceled"
    if result is not None:
        return dict(result)
    if error is not None:
        failed = PlatformError.from_document(error)
        raise PlatformError(failed.code, failed.message, failed.hint, {**failed.details, **where})
    code = ErrorCode.UNEXPECTED_TERMINATION if "cancel" in said else ErrorCode.INTERNAL_ERROR
    first = (said.strip().splitlines() or ["the run ended without a result"])[0]
    raise PlatformError(code, first, "the run's log has the whole story", where)


def _entries(holder: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in holder.get("metadataEntries") or ():
        if "jsonString" in entry:
            values[entry["label"]] = json.loads(entry["jsonString"])
        else:
            values[entry["label"]] = entry.get("intValue", entry.get("floatValue"))
    return values


class _Dagster:
    """A Dagster webserver, as far as a submission needs it."""

    def __init__(self, url: str, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._url = url.rstrip("/")
        self._shown = masked(self._url)
        self._client = httpx.Client(timeout=httpx.Timeout(30, connect=5), follow_redirects=True)

    def __enter__(self) -> _Dagster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def run_url(self, run_id: str) -> str:
        """The run's page."""
        return f"{self._shown}/runs/{run_id}"

    def launch(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Queue a run and return its id.

        Raises:
            PlatformError: BACKEND_UNREACHABLE if there is no Dagster with this job, VALIDATION_FAILED for a config
                that it refuses.
        """
        parameters = {
            "selector": self._selector(job),
            "runConfigData": {"ops": {job: {"config": dict(config)}}},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._ask(_LAUNCH, {"params": parameters})["launchRun"]
        if answer["__typename"] == "LaunchRunSuccess":
            return str(answer["run"]["runId"])
        if answer["__typename"] == "RunConfigValidationInvalid":
            problems = [error["message"] for error in answer["errors"]]
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"Dagster refused the config of {job}: {problems[0]}",
                "is the Dagster at GRAPH_PLATFORM_DAGSTER_URL of the same version as this command?",
                {"errors": problems},
            )
        raise self._unusable(f"refused to launch {job}: {answer.get('message', answer['__typename'])}")

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The run's events as they come, until it has ended."""
        cursor: str | None = None
        while True:
            answer = self._ask(_FOLLOW, {"runId": run_id, "cursor": cursor}, patiently=True)
            run, logs = answer["runOrError"], answer["logsForRun"]
            if run["__typename"] != "Run" or logs["__typename"] != "EventConnection":
                raise self._unusable(f"no longer knows run {run_id}")
            yield from logs["events"]
            cursor = logs["cursor"]
            if run["status"] in _ENDED and not logs["hasMore"]:
                return
            if not logs["hasMore"]:
                self._clock.sleep(_POLL_SECONDS)

    def _selector(self, job: str) -> dict[str, str]:
        """Where the job is. Code locations have the names that their Dagster gives them."""
        answer = self._ask(_REPOSITORIES, {})
        for repository in answer["repositoriesOrError"].get("nodes") or ():
            if any(offered["name"] == job for offered in repository["jobs"]):
                return {
                    "repositoryLocationName": repository["location"]["name"],
                    "repositoryName": repository["name"],
                    "jobName": job,
                }
        broken = [
            f"{entry['name']}: {entry['locationOrLoadError']['message'].strip().splitlines()[0]}"
            for entry in answer["workspaceOrError"].get("locationEntries") or ()
            if (entry["locationOrLoadError"] or {}).get("__typename") == "PythonError"
        ]
        if broken:
            raise self._unusable(f"could not load its code ({'; '.join(broken)})")
        raise self._unusable(f"has no job {job}")

    def _ask(self, query: str, variables: Mapping[str, Any], patiently: bool = False) -> dict[str, Any]:
        """One GraphQL request. `patiently` waits a while for a webserver that restarts under a run."""
        deadline = self._clock.monotonic() + (_PATIENCE_SECONDS if patiently else 0)
        while True:
            try:
                answer = self._client.post(f"{self._url}/graphql", json={"query": query, "variables": dict(variables)})
                break
            except httpx.InvalidURL as error:
                raise self._unusable(f"is no URL: {error}") from error
            except httpx.HTTPError as error:
                if self._clock.monotonic() >= deadline:
                    raise self._unusable(f"did not answer: {error or type(error).__name__}") from error
                self._clock.sleep(1)
        try:
            document = answer.json()
            data = document["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._unusable(f"answered {answer.status_code}, and not as Dagster's GraphQL does") from error
        if data is None:
            first = (document.get("errors") or [{}])[0].get("message", "no data")
            raise self._unusable(f"did not understand the request: {first}")
        return dict(data)

    def _unusable(self, what: str) -> PlatformError:
        return PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"the Dagster at {self._shown} {what}",
            "check GRAPH_PLATFORM_DAGSTER_URL, e.g. http://127.0.0.1:3000, or unset it to run jobs in this process",
        )
