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
from graph_platform.server.request import (
    BODY_BYTES,
    WRITER_BODY_BYTES,
    CheckpointRequest,
    DrainRequest,
    QueryRequest,
)

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


class Databases(TypedDict):
    """What may be done with each database, by its name."""

    databases: dict[str, Literal["read", "write"]]


class Created(TypedDict):
    """Whether the database is new; one that was there stays what it is."""

    created: bool


class Dropped(TypedDict):
    """The database and its file are gone."""

    dropped: bool


class Copied(TypedDict):
    """A copy of a database as one file, which is stored; how long writers waited for it."""

    bytes: int
    sha256: str
    engine: str
    storage_version: str
    writers_waited_seconds: float


class Drained(TypedDict):
    """What is refused from now on, when the server was last used, and what still runs."""

    refuses: Literal["nothing", "writes", "everything"]
    last_activity: str | None
    queries_in_flight: int
    writes_in_flight: int


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


_REQUESTS = (QueryRequest, CheckpointRequest, DrainRequest)
_ANSWERS = (Alive, Readiness, QueryAnswer, Tables, Databases, Created, Dropped, Copied, Drained, Problem)
_OF_QUERIES: Mapping[int, str] = {
    400: "The request or its statement is not one that can be answered.",
    403: "The statement does what this token may not.",
    404: "There is no such database.",
    413: f"The body is larger than {BODY_BYTES} bytes, or {WRITER_BODY_BYTES} with a token that may write.",
    415: f"The body is not {JSON}.",
    429: "You have as many queries running and waiting as you may have.",
    500: "The server or the engine failed.",
    503: "The server starts or ends.",
    504: "The query was stopped at its time limit.",
}


def document() -> bytes:
    """The document, as JSON."""
    _, schemas = msgspec.json.schema_components((*_REQUESTS, *_ANSWERS), ref_template="#/components/schemas/{name}")
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Graph Platform instance",
                "version": graph_platform.__version__,
                "description": "Graph databases that are asked over HTTP, in Cypher.",
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
    schema = _page("The tables.", "Tables", {503: _problem("It starts.")})
    unknown = {404: _problem("There is no such database.")}
    return {
        "/query": {"post": {"operationId": "query", **query}},
        "/schema": {"get": {"operationId": "schema", **schema}},
        "/databases": {"get": {"operationId": "databases", **_page("The databases.", "Databases", {})}},
        "/databases/{name}/query": {
            "parameters": _NAMED,
            "post": {"operationId": "queryDatabase", **query},
        },
        "/databases/{name}/schema": {
            "parameters": _NAMED,
            "get": {"operationId": "schemaOfDatabase", **schema, "responses": schema["responses"] | _texts(unknown)},
        },
        "/databases/{name}": {
            "parameters": _NAMED,
            "put": {
                "operationId": "createDatabase",
                **_operators("Make a database.", "Created", {201: _content(JSON, "Created")}),
            },
            "delete": {"operationId": "dropDatabase", **_operators("Take a database away.", "Dropped", {}, unknown)},
        },
        "/databases/{name}/checkpoint": {
            "parameters": _NAMED,
            "post": {
                "operationId": "checkpoint",
                "requestBody": {"required": True, "content": _content(JSON, "CheckpointRequest")},
                **_operators("Store a copy while readers go on.", "Copied", {}, unknown),
            },
        },
        "/drain": {
            "post": {
                "operationId": "drain",
                "requestBody": {"required": True, "content": _content(JSON, "DrainRequest")},
                **_operators("Take no more writes, or nothing more.", "Drained", {}),
            },
            "delete": {"operationId": "undrain", **_operators("Take everything again.", "Drained", {})},
        },
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


def _operators(
    summary: str, answer: str, also: Mapping[int, _Schema], other: Mapping[int, _Schema] | None = None
) -> _Schema:
    """A page for the operator's token. `also` are other statuses of success, with what they are answered with."""
    refusals = {400: _problem("The request is not one that can be done."), 403: _problem("It is not the operator's.")}
    page = _page(f"{summary} For the operator's token.", answer, {**refusals, **(other or {})})
    page["responses"] |= {str(status): {"description": "Done.", "content": content} for status, content in also.items()}
    return page


def _texts(responses: Mapping[int, _Schema]) -> _Schema:
    return {str(status): told for status, told in responses.items()}


def _problem(description: str) -> _Schema:
    return {"description": description, "content": _content(PROBLEM, "Problem")}


def _content(media_type: str, schema: str) -> _Schema:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_NAMED = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
_UNKNOWN = _problem("The bearer token is missing or wrong.")
