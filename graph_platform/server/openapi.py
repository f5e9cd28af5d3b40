"""`/openapi.json`: the pages of a server as OpenAPI 3.1. What a request is held against is what is told of it here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

import msgspec
from msgspec import Meta

import graph_platform
from graph_platform.engine.protocol import TableSchema
from graph_platform.errors import ErrorCode
from graph_platform.server.problems import MEDIA_TYPE as PROBLEM
from graph_platform.server.request import BODY_BYTES, QueryRequest

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"

_Schema: TypeAlias = dict[str, Any]


class Alive(TypedDict):
    """That the server is there; whether it takes queries is for `/ready` to say."""

    status: Literal["alive"]


class Readiness(TypedDict):
    """Whether the server takes queries, and how far its start is: `progress` goes from 0 to 1 in each phase."""

    ready: bool
    phase: str
    progress: float


class QueryAnswer(TypedDict):
    """Rows of values in the order of `columns`; `truncated` if the limit of rows cut the answer."""

    columns: list[str]
    types: Annotated[list[str], Meta(description="The engine's type of each column.")]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    elapsed_seconds: float


class Tables(TypedDict):
    """The node and edge tables of the database."""

    tables: list[TableSchema]


class Problem(TypedDict):
    """Why there is no answer (RFC 9457); `code` is stable, and `hint` says what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    message: str
    hint: str | None
    details: dict[str, Any]


_ANSWERS = (Alive, Readiness, QueryAnswer, Tables, Problem)
_OF_QUERIES: Mapping[int, str] = {
    400: "The request or its statement is not one that can be answered.",
    403: "The statement does more than read.",
    413: f"The body is larger than {BODY_BYTES} bytes.",
    415: f"The body is not {JSON}.",
    429: "You have as many queries running and waiting as you may have.",
    500: "The server or the engine failed.",
    503: "The server starts or ends.",
    504: "The query was stopped at its time limit.",
}


def document() -> bytes:
    """The document, as JSON."""
    _, schemas = msgspec.json.schema_components((QueryRequest, *_ANSWERS), ref_template="#/components/schemas/{name}")
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Graph Platform instance",
                "version": graph_platform.__version__,
                "description": "A graph database that is read over HTTP, in Cypher.",
            },
            "servers": [{"url": "/"}],
            "security": [{"token": []}],
            "paths": _paths(),
            "components": {
                "schemas": schemas,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    ).encode()


def _paths() -> _Schema:
    ready = "Whether it takes queries; without a token only the status says so."
    statuses = {status: _problem(text) for status, text in _OF_QUERIES.items()}
    query = _page("Ask one statement.", "QueryAnswer", statuses)
    query["requestBody"] = {"required": True, "content": _content(JSON, "QueryRequest")}
    query["responses"]["200"]["content"] |= {ARROW: {"schema": {"type": "string", "contentMediaType": ARROW}}}
    return {
        "/query": {"post": {"operationId": "query", **query}},
        "/schema": {"get": {"operationId": "schema", **_page("The tables.", "Tables", {503: _problem("It starts.")})}},
        "/ready": {
            "get": {
                "operationId": "ready",
                **_page(ready, "Readiness", {503: {"description": "Not yet.", "content": _content(JSON, "Readiness")}}),
            }
        },
        "/health": {"get": {"operationId": "health", **_page("Whether it lives.", "Alive", {})}},
        "/status": {"get": {"operationId": "status", **_page("All that is known of the server.", None, {})}},
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "What Prometheus reads.",
                "responses": {"200": {"description": "Metrics.", "content": {"text/plain": {}}}, "401": _UNKNOWN},
            }
        },
    }


def _page(summary: str, answer: str | None, other: Mapping[int, _Schema]) -> _Schema:
    content = {JSON: {"schema": {"type": "object"}}} if answer is None else _content(JSON, answer)
    responses = {
        "200": {"description": "The answer.", "content": content},
        "401": _UNKNOWN,
    }
    return {"summary": summary, "responses": responses | {str(status): told for status, told in other.items()}}


def _problem(description: str) -> _Schema:
    return {"description": description, "content": _content(PROBLEM, "Problem")}


def _content(media_type: str, schema: str) -> _Schema:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_UNKNOWN = _problem("The bearer token is missing or wrong.")
