"""What `/query` takes, as one model: a request is held against it, and `/openapi.json` is made of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from msgspec import DecodeError, Meta, Struct, ValidationError, convert
from msgspec.json import decode
from msgspec.structs import fields

from graph_platform.engine.parameters import MAX_PARAMETER_DEPTH, Unreadable, check_json, read_json
from graph_platform.engine.worker.requests import Form
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import StoredObject
from graph_platform.server.admission import Refused
from graph_platform.server.host import Query

_Request = TypeVar("_Request", bound=Struct)

BODY_BYTES = 1024**2
WRITER_BODY_BYTES = 16 * 1024**2
"""Of a request to read, and of one by who may write: values are sent along."""

_NAME = r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+"
_PLACE = re.compile(r"\$\.(\w+)")


class QueryRequest(Struct, forbid_unknown_fields=True):
    """One statement, its parameters and its limits."""

    # `extra` is what a field has to be, for whoever sends something else.
    cypher: Annotated[
        str,
        Meta(
            pattern=r"\S",
            description="One statement of Cypher; one that writes needs the writer's token, and a graph.",
            extra={"wanted": "a string with a statement"},
        ),
    ]
    parameters: Annotated[
        dict[str, Any] | None,
        Meta(
            description=f"Values for the `$name`s of the statement, nested at most {MAX_PARAMETER_DEPTH} deep.",
            extra_json_schema={"propertyNames": {"pattern": f"^({_NAME})$"}},
            extra={"wanted": "an object"},
        ),
    ] = None
    timeout_seconds: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="How long it may take, from when it came; at most, and by default, the instance's own limit.",
            extra={"wanted": "a number above 0"},
        ),
    ] = None
    row_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="How many rows to give; at most, and by default, the instance's own limit.",
            extra={"wanted": "a whole number above 0"},
        ),
    ] = None


_FIELDS = {field.name: field.type.__metadata__[0].extra["wanted"] for field in fields(QueryRequest)}


def read_query(content: bytes, longest_seconds: float, most_rows: int, came: float, form: Form = "json") -> Query:
    """The query in a request's body that came at a time of `time.monotonic`; its limits default to the instance's own,
    and are capped by them.

    Raises:
        PlatformError: VALIDATION_FAILED that names the field.
    """
    try:
        body = read_json(content.decode("utf-8"))
    except ValueError as error:
        raise _invalid(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise _invalid("the body has to be a JSON object")
    for field, value in body.items():
        if isinstance(value, Unreadable):
            raise _invalid(f"`{field}`: {value.problem}")
    if isinstance(body.get("row_limit"), float) and body["row_limit"].is_integer():
        body["row_limit"] = int(body["row_limit"])  # 1.0 is a whole number in JSON
    try:
        asked = convert(body, QueryRequest)
    except ValidationError as error:
        raise _told(error, body) from error
    parameters = asked.parameters or {}
    for name, value in parameters.items():
        if not re.fullmatch(_NAME, name):
            raise _invalid(f"`parameters`: {name!r} is not a name of letters, digits and `_`")
        check_json(name, value)
    timeout, rows = asked.timeout_seconds, asked.row_limit
    return Query(
        asked.cypher,
        parameters,
        float(min(longest_seconds, longest_seconds if timeout is None else timeout)),
        min(most_rows, most_rows if rows is None else rows),
        came,
        form,
    )


class CheckpointRequest(Struct, forbid_unknown_fields=True):
    """Where a copy of a database is to be stored: the storage's URL, and the object's key in it."""

    storage_url: Annotated[str, Meta(min_length=1)]
    key: Annotated[str, Meta(min_length=1)]


class DrainRequest(Struct, forbid_unknown_fields=True):
    """What is to be taken no more."""

    refuse: Literal["writes", "everything"]


def read_checkpoint(content: bytes) -> StoredObject:
    """Where a copy is to be stored, from a request's body.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    asked = _read(content, CheckpointRequest)
    return StoredObject(asked.storage_url, asked.key)


def read_drain(content: bytes) -> Refused:
    """What is to be refused, from a request's body.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    return Refused(_read(content, DrainRequest).refuse)


def _read(content: bytes, kind: type[_Request]) -> _Request:
    try:
        return decode(content, type=kind)
    except (ValidationError, DecodeError) as error:
        raise _invalid(f"the body is not what is wanted here: {error}", "/openapi.json says what is") from error


def _told(error: ValidationError, body: dict[str, Any]) -> PlatformError:
    unknown = sorted(body.keys() - _FIELDS.keys())
    if unknown:
        return _invalid(f"unknown fields: {', '.join(map(repr, unknown))}", f"there are: {', '.join(_FIELDS)}")
    place = _PLACE.search(str(error))
    field = place[1] if place else "cypher"  # the only one that has to be there
    return _invalid(f"`{field}` has to be {_FIELDS[field]}")


def _invalid(message: str, hint: str | None = None) -> PlatformError:
    return PlatformError(ErrorCode.VALIDATION_FAILED, message, hint)
