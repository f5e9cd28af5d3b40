"""Calls of an API server that misbehaves, which a real one cannot be had to do at a given moment: a scripted one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.kubernetes.cluster import STARTING_SECONDS, Cluster, Kind
from graph_platform_tests.simulated_clock import SimulatedClock

Reply = tuple[int, dict[str, str], dict[str, Any]]


@dataclass
class Script:
    """What the server answers, one after another, and what it was asked."""

    replies: list[Reply] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """A cluster behind a scripted server."""

    cluster: Cluster
    script: Script
    clock: SimulatedClock


@pytest.fixture
def world() -> Iterator[World]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append(f"{self.command} {self.path}")
            status, headers, document = script.replies.pop(0)
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = reply

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    configuration = Configuration(host=f"http://127.0.0.1:{server.server_port}")
    configuration.retries = False
    configuration.no_proxy = "*"
    clock = SimulatedClock()
    with ApiClient(configuration) as client:
        yield World(Cluster(client, "graphs", patience_seconds=90, clock=clock), script, clock)
    server.shutdown()
    server.server_close()


def ok(document: dict[str, Any]) -> Reply:
    return 200, {}, document


def refusal(status: int, message: str = "no", reason: str = "", **headers: str) -> Reply:
    document = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": status}
    return status, headers, document


POD = {"kind": "Pod", "metadata": {"name": "server-1", "uid": "u"}}


def page(*names: str, further: str = "") -> Reply:
    return ok({"metadata": {"continue": further}, "items": [{"metadata": {"name": name}} for name in names]})


def test_a_busy_server_is_asked_again_when_it_says(world: World) -> None:
    busy = {"Retry-After": "7"}
    world.script.replies = [(429, busy, {"message": "too many requests"}), refusal(500), refusal(503), ok(POD)]
    assert world.cluster.get(Kind.POD, "server-1") == POD
    assert world.clock.slept[0] == 7
    assert len(world.script.asked) == 4


def test_one_that_stays_away_is_an_error_after_the_patience_and_not_before(world: World) -> None:
    world.script.replies = [refusal(500, "etcd is gone")] * 1000
    with pytest.raises(PlatformError, match="did not answer for 90 seconds: HTTP 500: etcd is gone") as away:
        world.cluster.get(Kind.POD, "server-1")
    assert away.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert 80 < world.clock.now <= 90


def test_a_cut_list_is_read_on_and_an_error_on_page_two_makes_no_short_list(world: World) -> None:
    world.script.replies = [page("a", "b", further="x"), refusal(500), page("c")]
    assert [each["metadata"]["name"] for each in world.cluster.list(Kind.POD)] == ["a", "b", "c"]
    assert ["continue=x" in asked for asked in world.script.asked] == [False, True, True]
    world.script.replies = [page("a", further="x"), refusal(403, "pods is forbidden")] + [refusal(403)] * 100
    with pytest.raises(PlatformError) as refused:
        world.cluster.list(Kind.POD)
    assert refused.value.code is ErrorCode.PERMISSION_DENIED


def test_a_list_whose_rest_is_too_old_begins_again(world: World) -> None:
    world.script.replies = [
        page("a", further="x"),
        refusal(410, "expired", "Expired"),
        page("a", further="y"),
        page("b"),
    ]
    assert [each["metadata"]["name"] for each in world.cluster.list(Kind.POD)] == ["a", "b"]
    world.script.replies = [page("a", further="x"), refusal(410, "expired", "Expired")] * 10
    with pytest.raises(PlatformError, match="whole list"):
        world.cluster.list(Kind.POD)


def test_a_conflict_is_told_apart_from_a_refusal(world: World) -> None:
    world.script.replies = [refusal(409, "there", "AlreadyExists"), refusal(409, "changed", "Conflict"), refusal(404)]
    assert world.cluster.create(Kind.POD, POD) is None
    assert world.cluster.replace(Kind.POD, POD) is False
    world.cluster.delete(Kind.POD, POD)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refusal(403, 'pods "x" is forbidden: exceeded quota: small'), ErrorCode.CONCURRENCY_LIMIT_EXCEEDED),
        (refusal(403, 'pods "x" is forbidden: violates PodSecurity "restricted"'), ErrorCode.PERMISSION_DENIED),
        (refusal(400, 'admission webhook "no.example" denied the request: not today'), ErrorCode.PERMISSION_DENIED),
        (refusal(401, "Unauthorized"), ErrorCode.PERMISSION_DENIED),
        (refusal(404, 'namespaces "graphs" not found'), ErrorCode.RESOURCE_NOT_FOUND),
        (refusal(422, "Pod is invalid: spec.containers: Required value"), ErrorCode.VALIDATION_FAILED),
    ],
)
def test_a_refusal_has_the_clusters_words(world: World, reply: Reply, code: ErrorCode) -> None:
    world.script.replies = [reply] * 100
    with pytest.raises(PlatformError) as refused:
        world.cluster.create(Kind.POD, POD)
    assert refused.value.code is code
    assert reply[2]["message"] in refused.value.message


def test_a_server_that_has_just_started_is_not_believed_that_a_right_is_missing(world: World) -> None:
    world.script.replies = [refusal(403, "pods is forbidden"), refusal(403, "pods is forbidden"), ok(POD)]
    assert world.cluster.get(Kind.POD, "server-1") == POD


NO_ACCOUNT = 'pods "x" is forbidden: error looking up service account a/default: serviceaccount "default" not found'


def test_a_namespace_that_has_no_account_yet_is_waited_for_and_no_right_is_called_missing(world: World) -> None:
    world.script.replies = [refusal(403, NO_ACCOUNT)] * 10 + [ok(POD)]
    assert world.cluster.create(Kind.POD, POD) == POD
    assert world.clock.now > STARTING_SECONDS
    world.script.replies = [refusal(403, NO_ACCOUNT)] * 1000
    with pytest.raises(PlatformError) as refused:
        world.cluster.create(Kind.POD, POD)
    assert refused.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert 'serviceaccount "default" not found' in refused.value.message
    assert "kubectl get serviceaccounts" in str(refused.value.hint)
