"""Objects of one namespace of a cluster, as the API server has them: JSON documents, and errors in its own words.

Each call ends as an undisturbed one would, where the API server is away, busy or slow for less than the patience; all
that is asked here may be asked twice.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import urllib3
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses
from graph_platform.runtime.kubernetes.forward import Forward, client_errors

Document = dict[str, Any]
Answer = TypeVar("Answer")

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
PAGE = 500
STARTING_SECONDS = 5.0
"""How long a refusal is not believed: an API server that has just started does not know its own roles yet."""

NO_ACCOUNT_YET = "error looking up service account"
"""What a namespace says of a pod until its controller has made the account `default`: no right is missing."""

_JSON = {200: "object", 201: "object", 202: "object"}
_PAUSES = Pauses(0.2, 5.0)


class Expired(Exception):
    """The API server no longer knows what came after that version of a list."""


class Kind(StrEnum):
    """A kind of object, by its path."""

    CONFIG_MAP = "/api/v1/namespaces/{namespace}/configmaps"
    EVENT = "/api/v1/namespaces/{namespace}/events"
    POD = "/api/v1/namespaces/{namespace}/pods"
    SECRET = "/api/v1/namespaces/{namespace}/secrets"  # noqa: S105 - a path


def inside_a_cluster() -> bool:
    """Whether this process runs in a pod, with an account of the cluster."""
    try:
        load_incluster_config(client_configuration=Configuration())
    except ConfigException:
        return False
    return True


def cluster_client() -> ApiClient:
    """A client for the cluster that this process runs in, else for the one of KUBECONFIG.

    Raises:
        PlatformError: VALIDATION_FAILED, if neither is there.
    """
    configuration = Configuration()
    configuration.retries = False  # here it is known what may be asked twice
    try:
        try:
            load_incluster_config(client_configuration=configuration)
        except ConfigException:
            load_kube_config(client_configuration=configuration)
    except ConfigException as error:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"no way to a cluster: {error}",
            "run inside it, or set KUBECONFIG to a file that names it",
        ) from error
    return ApiClient(configuration)


class Cluster:
    """One namespace. Every method raises BACKEND_UNREACHABLE if the API server is away for longer than the patience,
    and PERMISSION_DENIED for a right that is missing.

    Args:
        patience_seconds: how long a call is tried again while the API server is away or busy.
    """

    def __init__(
        self, client: ApiClient, namespace: str, *, patience_seconds: float = 90.0, clock: Clock = SYSTEM
    ) -> None:
        self.namespace = namespace
        self._client = client
        self._patience = patience_seconds
        self._clock = clock

    def forward(self, pod: str, port: int, own_port: int = 0) -> Forward:
        """A port of loopback that leads to a pod's."""
        return Forward(self._client.configuration, self.namespace, pod, port, own_port)

    def get(self, kind: Kind, name: str) -> Document | None:
        """The object, None if there is none."""
        try:
            return self._document("GET", f"{self._path(kind)}/{name}")
        except ApiException as error:
            if error.status == 404:
                return None
            raise _refused(error, f"read {name}") from error

    def create(self, kind: Kind, manifest: Mapping[str, Any]) -> Document | None:
        """Make an object; None if its name is taken, perhaps by this very call, whose answer was lost."""
        try:
            return self._document("POST", self._path(kind), body=manifest)
        except ApiException as error:
            if error.status == 409 and _reason(error) == "AlreadyExists":
                return None
            raise _refused(error, f"create {manifest['kind']} {manifest['metadata']['name']}") from error

    def replace(self, kind: Kind, document: Mapping[str, Any]) -> bool:
        """Change an object as it was read; False if it was changed or removed since."""
        name = document["metadata"]["name"]
        try:
            self._document("PUT", f"{self._path(kind)}/{name}", body=document)
        except ApiException as error:
            if error.status in (404, 409):
                return False
            raise _refused(error, f"change {name}") from error
        return True

    def delete(self, kind: Kind, document: Mapping[str, Any], grace_seconds: float | None = None) -> None:
        """Remove this very object, by its UID, and in the background what it owns. One that is gone stays gone."""
        metadata = document["metadata"]
        body: Document = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": metadata["uid"]},
            "propagationPolicy": "Background",
        }
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = max(1, round(grace_seconds))
        try:
            self._document("DELETE", f"{self._path(kind)}/{metadata['name']}", body=body)
        except ApiException as error:
            if error.status not in (404, 409):
                raise _refused(error, f"delete {metadata['name']}") from error

    def list(self, kind: Kind, labels: str = "", fields: str = "") -> builtins.list[Document]:
        """Every object with these labels and fields, all of them or an error."""
        return self.listed(kind, labels, fields)[0]

    def listed(self, kind: Kind, labels: str = "", fields: str = "") -> tuple[builtins.list[Document], str]:
        """As `list`, and the version of the list, from which on it can be watched."""
        for _ in range(10):
            try:
                pages = builtins.list(self._pages(kind, labels, fields))
                found = [item for page in pages for item in page["items"]]
                return found, pages[-1]["metadata"].get("resourceVersion", "")
            except ApiException as error:
                if error.status != 410:  # the rest of the list is too old to be had: once more from its start
                    raise _refused(error, f"list {kind.rpartition('/')[2]}") from error
        raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, "the cluster does not give a whole list", "try again")

    def watch(self, kind: Kind, version: str, seconds: float, labels: str = "") -> Iterator[Document]:
        """What happens to objects after a version of their list, as the API server says it (`type`, `object`), until
        that time is over.

        Raises:
            Expired: it does not know any more; list them again.
            PlatformError: also for a watch that broke; it is not begun again here.
        """
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("labelSelector", labels)]
        query += [("resourceVersion", version), ("timeoutSeconds", str(max(1, round(seconds))))]
        doing = f"watch {kind.rpartition('/')[2]}"
        try:
            with client_errors():
                answer = self._call("GET", self._path(kind), query, raw=True, read_seconds=seconds + READ_SECONDS)
            with contextlib.closing(answer):
                for event in map(json.loads, _lines(answer)):
                    if event["type"] == "ERROR":
                        raise ApiException(event["object"].get("code", 500), http_resp=None)
                    yield event
        except ApiException as error:
            if error.status == 410:
                raise Expired from error
            raise _refused(error, doing) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, f"the cluster broke off to {doing}: {error}") from error

    def log(self, pod: str) -> str:
        """What a pod's container has written, "" while it has not started or when it is gone."""

        def read() -> str:
            answer = self._call("GET", f"{self._path(Kind.POD)}/{pod}/log", raw=True)
            try:
                content: bytes = answer.read()
            finally:
                answer.release_conn()
            return content.decode(errors="replace")

        try:
            return self._tried(read)
        except ApiException as error:
            if error.status in (400, 404):
                return ""
            raise _refused(error, f"read the log of {pod}") from error

    def _pages(self, kind: Kind, labels: str, fields: str) -> Iterator[Document]:
        query = [("limit", PAGE), ("labelSelector", labels), ("fieldSelector", fields)]
        further = ""
        while True:
            page = self._document("GET", self._path(kind), [*query, *([("continue", further)] if further else [])])
            for item in page["items"]:  # of a pod, half of all its memory, and nobody here asks who set which field
                item["metadata"].pop("managedFields", None)
            yield page
            further = page["metadata"].get("continue", "")
            if not further:
                return

    def _path(self, kind: Kind) -> str:
        return kind.format(namespace=self.namespace)

    def _document(
        self, method: str, path: str, query: builtins.list[tuple[str, Any]] | None = None, body: Any = None
    ) -> Document:
        found: Document = self._tried(lambda: self._call(method, path, query, body))
        return found

    def _call(
        self,
        method: str,
        path: str,
        query: builtins.list[tuple[str, Any]] | None = None,
        body: Any = None,
        *,
        raw: bool = False,
        read_seconds: float = READ_SECONDS,
    ) -> Any:
        return self._client.call_api(
            path,
            method,
            query_params=[each for each in query or [] if each[1] != ""],
            header_params={"Accept": "application/json", "Content-Type": "application/json"},
            body=body,
            response_types_map={} if raw else _JSON,
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=not raw,
            _request_timeout=(CONNECT_SECONDS, read_seconds),
        )

    def _tried(self, call: Callable[[], Answer]) -> Answer:
        """The answer, asked for again while the API server is away or says that it is too busy."""
        begun = self._clock.monotonic()
        deadline = begun + self._patience
        for pause in _PAUSES:
            try:
                with client_errors():
                    return call()
            except ApiException as error:
                if self._clock.monotonic() + pause > begun + self._believed_after(error):
                    raise
                wait, cause = max(pause, _retry_after(error)), f"HTTP {error.status}: {_message(error)}"
            except (urllib3.exceptions.HTTPError, OSError) as error:
                wait, cause = pause, str(error)
            if self._clock.monotonic() + wait > deadline:
                raise PlatformError(
                    ErrorCode.BACKEND_UNREACHABLE,
                    f"the cluster did not answer for {self._patience:g} seconds: {cause}",
                    "see `kubectl cluster-info`, and try again",
                )
            self._clock.sleep(wait)
        raise AssertionError("pauses never end")

    def _believed_after(self, error: ApiException) -> float:
        """For how many seconds an answer may be one that passes, and is asked for again."""
        if not error.status or error.status == 429 or error.status >= 500:
            return math.inf  # it is no answer: that has an end of its own
        if NO_ACCOUNT_YET in _message(error):
            return self._patience
        return STARTING_SECONDS if error.status in (401, 403) else 0.0


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of an answer, each as it comes."""
    rest = b""
    for chunk in answer.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _body(error: ApiException) -> Document:
    try:
        document = json.loads(error.body)
    except (TypeError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _reason(error: ApiException) -> str:
    return str(_body(error).get("reason", ""))


def _message(error: ApiException) -> str:
    return str(_body(error).get("message") or error.reason or error.body)


def _retry_after(error: ApiException) -> float:
    try:
        return float((error.headers or {}).get("Retry-After", 0))
    except ValueError:
        return 0.0


_REFUSALS: Sequence[tuple[Callable[[int, str], bool], ErrorCode, str | None]] = (
    (
        lambda status, said: status == 401,
        ErrorCode.PERMISSION_DENIED,
        "the credentials are not the cluster's, or too old",
    ),
    (
        lambda status, said: "exceeded quota" in said,
        ErrorCode.CONCURRENCY_LIMIT_EXCEEDED,
        "end instances, or raise the namespace's ResourceQuota",
    ),
    (
        lambda status, said: "PodSecurity" in said or "admission webhook" in said,
        ErrorCode.PERMISSION_DENIED,
        "a policy of the cluster forbids it",
    ),
    (
        lambda status, said: NO_ACCOUNT_YET in said,
        ErrorCode.BACKEND_UNREACHABLE,
        "the cluster makes that account itself, a moment after its namespace: see `kubectl get serviceaccounts`, and "
        "whether kube-controller-manager runs",
    ),
    (
        lambda status, said: status == 403,
        ErrorCode.PERMISSION_DENIED,
        "give the platform's service account that right (deploy/platform.yaml)",
    ),
    (
        lambda status, said: status == 404,
        ErrorCode.RESOURCE_NOT_FOUND,
        "see GRAPH_PLATFORM_RUNTIME: is it the namespace?",
    ),
    (lambda status, said: True, ErrorCode.VALIDATION_FAILED, None),
)
"""What a refusal means, by its status and its words, and what to do about it; the first that fits."""


def _refused(error: ApiException, doing: str) -> PlatformError:
    """What the API server did not allow, in its words."""
    said = _message(error)
    code, hint = next((code, hint) for fits, code, hint in _REFUSALS if fits(error.status or 0, said))
    return PlatformError(code, f"the cluster refused to {doing}: {said}", hint)
