"""`/openapi.json`: a right document, true of each page, and what a request is held against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform.server.openapi import document
from graph_platform.server.problems import STATUS
from graph_platform.server.request import read_query
from graph_platform_tests.services.runtimes import INSTALLATION, settled
from graph_platform_tests.snapshots import Snapshot

DOCUMENT = json.loads(document())
REQUEST = Draft202012Validator(
    {"$ref": "#/components/schemas/QueryRequest", "components": DOCUMENT["components"]},
)

SLOW = "UNWIND range(1, 100000) AS x UNWIND range(1, 100000) AS y RETURN sum(x * y % 7)"
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
QUESTIONS: dict[int, dict[str, Any]] = {
    200: {"json": {"cypher": "MATCH (n) RETURN n"}},
    400: {"json": {"cypher": "RETURN x"}},
    401: {"headers": {"Authorization": "Bearer no"}, "json": {}},
    403: {"json": {"cypher": "MATCH (n) DELETE n"}},
    413: {"content": b" " * 2**21, "headers": {"Content-Type": JSON}},
    415: {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
    504: {"json": {"cypher": SLOW, "timeout_seconds": 0.01}},
}


@pytest.fixture(scope="module")
def server(snapshots: dict[str, Snapshot], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    runtime = LocalServers(tmp_path_factory.mktemp("home"), INSTALLATION)
    runtime.start(snapshots["ladybug"].spec("ladybug"))
    assert settled(runtime, "inst-1").presence is Presence.READY
    way = runtime.connect("inst-1")
    with httpx.Client(base_url=way.url, headers={"Authorization": f"Bearer {way.token}"}, timeout=20) as client:
        yield client
    runtime.stop("inst-1", 1, 5)


def told(answer: httpx.Response, page: str, method: str) -> None:
    """Fails unless the document tells of this answer: its status, its type of content, its fields."""
    described = DOCUMENT["paths"][page][method]["responses"][str(answer.status_code)]
    media_type = answer.headers["Content-Type"].partition(";")[0]
    schema = described["content"][media_type].get("schema", {})
    if media_type.endswith("json"):
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(answer.json())


def test_it_is_right_and_the_server_gives_it(server: httpx.Client) -> None:
    validate(DOCUMENT)
    assert server.get("/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("page", [page for page, methods in DOCUMENT["paths"].items() if "get" in methods])
def test_each_page_answers_as_it_says(server: httpx.Client, page: str) -> None:
    told(server.get(page), page, "get")
    told(server.get(page, headers={"Authorization": "Bearer no"}), page, "get")


@pytest.mark.parametrize("status", QUESTIONS)
def test_a_query_is_answered_as_it_says(server: httpx.Client, status: int) -> None:
    answer = server.post("/query", **QUESTIONS[status])
    assert answer.status_code == status, answer.text
    told(answer, "/query", "post")


def test_an_arrow_stream_is_told_of(server: httpx.Client) -> None:
    told(server.post("/query", json={"cypher": "RETURN 1"}, headers={"Accept": ARROW}), "/query", "post")


def test_each_status_that_a_query_can_have_is_told_of() -> None:
    of_a_page_that_is_not_there = STATUS[ErrorCode.RESOURCE_NOT_FOUND]
    statuses = {str(status) for status in STATUS.values() if status != of_a_page_that_is_not_there}
    assert statuses < DOCUMENT["paths"]["/query"]["post"]["responses"].keys()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_NAMES = st.from_regex(r"\A[A-Za-z_0-9]{1,3}\Z") | st.text(max_size=3)
_RIGHT = {
    "cypher": st.text(),
    "parameters": st.none() | st.dictionaries(_NAMES, st.integers(-5, 5), max_size=2),
    "timeout_seconds": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-2, 2**60),
    "row_limit": st.none() | st.integers(-2, 2**60) | st.floats(-5, 5),
}


@st.composite
def _bodies(draw: st.DrawFn) -> Any:
    """What is nearly right: of each field something that it may have, or, in one of five, anything."""
    body = {}
    for name, right in _RIGHT.items():
        if name == "cypher" or draw(st.booleans()):
            body[name] = draw(_VALUES) if draw(st.integers(0, 4)) == 0 else draw(right)
    if draw(st.integers(0, 9)) == 0:
        body[draw(st.text(max_size=4))] = draw(_VALUES)
    return body


@settings(max_examples=400, deadline=None)
@given(body=_bodies() | _VALUES)
def test_a_request_is_taken_exactly_if_its_schema_takes_it(body: Any) -> None:
    try:
        read_query(json.dumps(body).encode(), 60, 1000, 0.0)
        taken = True
    except PlatformError as error:
        if "parameter" in error.details:  # what a value may be, which engines decide and no schema tells
            return
        taken = False
    assert taken == REQUEST.is_valid(body), body
