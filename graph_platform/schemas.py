"""The JSON Schemas of what operations answer: with GraphQL and JSON, they are the API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from graph_platform.errors import ErrorCode
from graph_platform.instance import results as instance
from graph_platform.proving import results as proving
from graph_platform.snapshot import results as snapshot


class Error(TypedDict):
    """A failure: what a command prints with `-o json`, a run keeps, and a server answers."""

    code: ErrorCode
    message: str
    hint: str | None
    details: dict[str, Any]


RESULTS: Mapping[str, Any] = MappingProxyType(
    {**proving.RESULTS, **snapshot.RESULTS, **instance.RESULTS, "error": Error}
)


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a result.

    Raises:
        KeyError: for a name that is not among `RESULTS`.
    """
    schema = TypeAdapter(RESULTS[name]).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "additionalProperties": False,
        **schema,
    }
