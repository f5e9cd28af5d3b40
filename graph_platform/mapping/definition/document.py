"""Mapping files: YAML or JSON text to a `MappingDefinition` and back, with every mistake and its line at once.

The shape is checked here, by the model's own schema. The rules over names and limits are `structure`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import ValidationError

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.problems import MAX_NAME_SHOWN, ProblemCode, problem, shown
from graph_platform.mapping.checks.report import MOST_PROBLEMS, Problem, ValidationReport, listed
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.structure import suggestion

MAX_DOCUMENT_BYTES = 1024**2
MAX_DOCUMENT_NODES = 200_000
MAX_DOCUMENT_DEPTH = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_KINDS = {
    "string_type": "text",
    "string_unicode": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a group of keys",
    "model_attributes_type": "a group of keys",
    "dict_type": "a group of keys",
}
_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
# YAML's own rule, so that the place can be told: libyaml counts bytes.
_NOT_IN_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_UNFOLDED = 2**31 - 1  # a width, which libyaml keeps as an int of C
_Place = tuple[str | int, ...]


@dataclass(frozen=True)
class _Found:
    """A problem that is written down only if it will be listed."""

    position: tuple[int, int] | None
    problem: Callable[[], Problem]


class _Refused(Exception):
    """The text has no tree to look at further."""


class _Block(str):
    """Text that is written as a YAML block."""


def read_mapping(source: str | bytes) -> MappingDefinition:
    """The mapping in a YAML or JSON text, UTF-8 if it comes as bytes.

    Raises:
        PlatformError: VALIDATION_FAILED; `details["report"]` is a `ValidationReport` with the problems and where each
            is in the text.
    """
    found: list[_Found] = []
    data: Any = None
    marks: dict[_Place, tuple[int, int]] = {}
    try:
        node = _composed(source)
        data = _Reader(found, marks).value(node, ())
    except _Refused as refused:
        found.append(refused.args[0])
    return _mapping(data, found, marks)


def mapping_of(data: Any) -> MappingDefinition:
    """The mapping that a JSON value is, such as a job's config.

    Raises:
        PlatformError: VALIDATION_FAILED with the report, as for a text, but without positions.
    """
    found: list[_Found] = []
    try:
        _measure(data, found)
    except _Refused as refused:
        raise _failure("mapping", [refused.args[0]]) from None
    return _mapping(data, found, {})


def check_document_size(size: int) -> None:
    """Refuse a document before it is read.

    Args:
        size: in bytes.

    Raises:
        PlatformError: VALIDATION_FAILED with the report.
    """
    if size > MAX_DOCUMENT_BYTES:
        raise _failure("mapping", [_syntax(_too_large(size))])


def _mapping(data: Any, found: list[_Found], marks: Mapping[_Place, tuple[int, int]]) -> MappingDefinition:
    name = data["name"] if isinstance(data, dict) and isinstance(data.get("name"), str) else "mapping"
    if data is not None or not found:
        try:
            mapping = MappingDefinition.model_validate(data)
        except ValidationError as error:
            found += list(_broken_rules(error, data, marks, name, told=bool(found)))
        else:
            if not found:
                return mapping
    raise _failure(name, sorted(found, key=lambda one: one.position or (0, 0)))


def write_mapping(mapping: MappingDefinition) -> str:
    """YAML that `read_mapping` reads back to an equal mapping, SQL as indented blocks, and no line of it folded."""
    tree = _tree(mapping.model_dump(exclude_defaults=True))
    return str(yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_UNFOLDED))


def mapping_json_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_schema()}


def _failure(name: str, found: Sequence[_Found]) -> PlatformError:
    errors, more = listed(one.problem() for one in found[:MOST_PROBLEMS])
    more += max(len(found) - MOST_PROBLEMS, 0)
    report = ValidationReport(valid=False, errors=errors, more_errors=more)
    first, others = errors[0], len(errors) - 1 + more
    where = f" (line {first.position.line})" if first.position else ""
    message = f"{shown(name, MAX_NAME_SHOWN)} cannot be read: {first.message}{where}"
    message += f", and {others} more" if others else ""
    return PlatformError(ErrorCode.VALIDATION_FAILED, message, first.hint, {"report": report.model_dump(mode="json")})


def _syntax(message: str, hint: str | None = None, position: tuple[int, int] | None = None) -> _Found:
    return _Found(
        position, lambda: problem(ProblemCode.DOCUMENT_SYNTAX, "mapping", message, hint=hint, position=position)
    )


def _too_large(size: int) -> str:
    # Of what is not a file, no more is read than it takes to know.
    has = f"{size:,} bytes, " if size > MAX_DOCUMENT_BYTES + 1 else ""
    return f"the mapping has {has}more than the {MAX_DOCUMENT_BYTES:,} bytes that one may have"


def _composed(source: str | bytes) -> yaml.Node:
    text = _text(source)
    try:
        _bound(text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = "check indentation and quotes; text with `: ` or ` #` in it needs quotes"
        if "Unicode character escape" in what:
            hint = "a \\u escape is one whole character, and not half of a surrogate pair"
        raise _Refused(
            _syntax(f"this is not YAML: {what}", hint, (mark.line + 1, mark.column + 1) if mark else None)
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise _Refused(_syntax("the text has no keys", "a mapping begins with its keys, e.g. name: flights"))
    return node


def _text(source: str | bytes) -> str:
    """The text, if it is one that YAML may have: what the loader says of others has no place."""
    content = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _Refused(_syntax(_too_large(len(content))))
    encoding = _OTHER_ENCODINGS.get(content[:2])
    if encoding:
        raise _Refused(_syntax(f"the text is {encoding}", "save it as UTF-8", (1, 1)))
    try:
        text = content.decode("utf-8", "strict" if isinstance(source, bytes) else "surrogatepass")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        message = f"the text is not UTF-8: {error.reason} at byte {error.start}"
        raise _Refused(_syntax(message, "save it as UTF-8", _position(before, len(before)))) from error
    text = text.removeprefix("\ufeff")  # an editor on Windows may put a byte order mark first
    odd = _NOT_IN_YAML.search(text)
    if odd:
        message = f"the text has the character U+{ord(odd[0]):04X}, which YAML and JSON do not allow as it is"
        raise _Refused(_syntax(message, "remove it, or write it as an escape in quotes", _position(text, odd.start())))
    if text.lstrip().startswith("{") and "\\u" in text and _is_json(text):
        # JSON may write a character as two escapes, which YAML does not know: as one, which is nearly as long.
        text = _PAIR.sub(lambda pair: f"{pair[1]}\\U{_paired(pair[2], pair[3]):08x}", text)
    return text


def _position(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _paired(high: str, low: str) -> int:
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00)


def _bound(text: str) -> None:
    """Look at the events first: libyaml's own tree building recurses in C, and ends the process on deep nesting."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        count += 1
        if count > MAX_DOCUMENT_NODES:
            raise _Refused(_syntax(f"the text has more than {MAX_DOCUMENT_NODES:,} values"))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DOCUMENT_DEPTH:
                raise _Refused(_syntax("the text is nested too deeply"))


def _measure(data: Any, found: list[_Found]) -> None:
    """The limits of a text, for data that was none."""
    size = count = 0
    waiting: list[tuple[_Place, Any]] = [((), data)]
    while waiting:
        place, value = waiting.pop()
        count += 1
        if count > MAX_DOCUMENT_NODES:
            raise _Refused(_syntax(f"the mapping has more than {MAX_DOCUMENT_NODES:,} values"))
        if len(place) > MAX_DOCUMENT_DEPTH:
            raise _Refused(_syntax("the mapping is nested too deeply"))
        if isinstance(value, dict):
            for key in map(str, value):
                size += len(key.encode("utf-8", "surrogatepass"))
                found += _no_text(key, (*place, key), None)
            waiting += [((*place, str(key)), inner) for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            waiting += [((*place, i), inner) for i, inner in enumerate(value)]
        elif isinstance(value, str):
            size += len(value.encode("utf-8", "surrogatepass"))
            found += _no_text(value, place, None)
    if size > MAX_DOCUMENT_BYTES:
        raise _Refused(_syntax(_too_large(size)))


def _no_text(text: str, place: _Place, position: tuple[int, int] | None) -> Iterator[_Found]:
    odd = _NO_CHARACTER.search(text)
    if odd is None:
        return
    field = _field(place)
    what = "a NUL character" if odd[0] == "\0" else "half of a surrogate pair, which is no character"
    hint = "write it without \\0, which no database keeps" if odd[0] == "\0" else "write the whole character"
    message = f"{field} has {what}"
    yield _Found(
        position,
        lambda: problem(ProblemCode.DOCUMENT_VALUE, "mapping", message, field=field, hint=hint, position=position),
    )


def _field(place: _Place) -> str:
    return ".".join(str(part) for part in place if not isinstance(part, int))


class _Reader:
    """Turns the YAML tree into data: text stays text, keys are unique, and aliases cannot multiply without end."""

    def __init__(self, found: list[_Found], marks: dict[_Place, tuple[int, int]]) -> None:
        self.found = found
        self.marks = marks
        self.visited = 0
        self.characters = 0

    def value(self, node: yaml.Node, place: _Place) -> Any:
        self.visited += 1
        if self.visited > MAX_DOCUMENT_NODES or len(place) > MAX_DOCUMENT_DEPTH:
            raise _Refused(_syntax("the text unfolds to too many values"))
        position = _start(node)
        self.marks.setdefault(place, position)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*place, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.group(node, place)
        text = str(node.value)
        self.characters += len(text)
        if self.characters > 2 * MAX_DOCUMENT_BYTES:
            raise _Refused(_syntax("the text unfolds to too much text", position=position))
        if node.tag == "tag:yaml.org,2002:str":
            self.found += _no_text(text, place, position)
            return text
        if node.tag == "tag:yaml.org,2002:null":
            return None
        # `type: NO` and `name: 2024` are a boolean and a number to YAML; the model says that text is wanted.
        return _Scalar(text, node.tag.rpartition(":")[2])

    def group(self, node: yaml.MappingNode, place: _Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            position = _start(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                message = "a key is not plain text" if not isinstance(key_node, yaml.ScalarNode) else "<< is not a key"
                self.found.append(_found(ProblemCode.DOCUMENT_VALUE, "mapping", message, None, position))
                continue
            key = str(key_node.value)
            if key in found:
                entity = _entity(found, place) or "mapping"
                twice = f"{key} is written twice"
                self.found.append(_found(ProblemCode.DOCUMENT_KEY_DUPLICATE, entity, twice, key, position))
                continue
            self.marks[(*place, key, "<key>")] = position
            found[key] = self.value(value_node, (*place, key))
        return found


def _start(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _found(code: ProblemCode, entity: str, message: str, field: str | None, position: tuple[int, int]) -> _Found:
    return _Found(position, lambda: problem(code, entity, message, field=field, position=position))


class _Scalar:
    """A scalar that is not text: kept so that the message can show what was written."""

    def __init__(self, text: str, kind: str) -> None:
        self.text = text
        self.kind = kind


def _entity(group: Any, place: _Place) -> str | None:
    if place and place[0] in ("node_definitions", "edge_definitions") and isinstance(group, dict):
        name = group.get("label") or group.get("type")
        return name if isinstance(name, str) else None
    return None


def _broken_rules(
    error: ValidationError, data: Any, marks: Mapping[_Place, tuple[int, int]], name: str, *, told: bool
) -> Iterator[_Found]:
    """What the model says. `told` tells that something was found before, as is all text that is none."""
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        place, kind = tuple(found["loc"]), found["type"]
        if kind == "string_unicode" and told:
            continue  # with its place, and what of it is no character
        missing = kind in ("extra_forbidden", "missing")
        key = marks.get((*place, "<key>")) if missing else None
        position = key or marks.get(place) or marks.get((*place, "<key>"))
        position = position or next((marks[place[:n]] for n in range(len(place), -1, -1) if place[:n] in marks), None)
        yield _Found(
            position,
            lambda place=place, kind=kind, message=found["msg"], position=position: _problem(  # type: ignore[misc]
                place, kind, message, data, position, name
            ),
        )


def _problem(place: _Place, kind: str, said: str, data: Any, position: tuple[int, int] | None, name: str) -> Problem:
    entity = name
    if len(place) >= 2 and place[0] in ("node_definitions", "edge_definitions"):
        noun = "node" if place[0] == "node_definitions" else "edge"
        entity = _entity(_at(data, place[:2]), place) or f"{noun} {int(place[1]) + 1}"
    key = str(place[-1]) if place else None
    if kind == "extra_forbidden":
        known = _known_keys(place[:-1])
        meant = suggestion(str(key), known)
        hint = f"did you mean {meant}?" if meant else f"the keys here are: {', '.join(known)}"
        cut = _at(data, (*place[:-1], "type"))
        if isinstance(cut, str) and "(" in cut and ")" not in cut and str(key).rstrip().endswith(")"):
            # Inside braces a comma ends the value, so that `DECIMAL(12,2)` is a type `DECIMAL(12` and a key `2)`.
            whole = f"{cut},{str(key).strip()}"
            hint = f'quote it: type: "{whole}"'
            message = f"the comma in {whole} ends the value, because it stands in braces without quotes"
            return problem(ProblemCode.DOCUMENT_SYNTAX, entity, message, field="type", hint=hint, position=position)
        message = f"there is no key {key}"
        return problem(ProblemCode.DOCUMENT_KEY_UNKNOWN, entity, message, field=key, hint=hint, position=position)
    described = _description(place)
    if kind == "missing":
        message = f"{key} is missing"
        return problem(ProblemCode.DOCUMENT_KEY_MISSING, entity, message, field=key, hint=described, position=position)
    wanted = _KINDS.get(kind)
    value = _at(data, place)
    label = _field(place) or "the file"
    message = f"{label} must be {wanted}" if wanted else f"{label}: {said}"
    hint_text = described
    if isinstance(value, _Scalar):
        message = f"{label} must be {wanted or 'text'}, but {shown(value.text, 80)} is {_article(value.kind)}"
        hint_text = f'write "{value.text}", in quotes' if wanted == "text" else described
    elif value is None:
        message += ", but is empty"
    return problem(ProblemCode.DOCUMENT_VALUE, entity, message, field=key, hint=hint_text, position=position)


def _article(kind: str) -> str:
    return {"bool": "a boolean in YAML", "int": "a number", "float": "a number", "timestamp": "a date"}.get(kind, kind)


def _at(data: Any, place: _Place) -> Any:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


@cache
def _schema() -> dict[str, Any]:
    """The model's schema, made once: it takes milliseconds, and every problem asks it for the keys and their sense."""
    return MappingDefinition.model_json_schema()


def _schema_at(place: _Place) -> dict[str, Any]:
    schema = _schema()
    here: dict[str, Any] = schema
    for part in place:
        here = here.get("items", {}) if isinstance(part, int) else here.get("properties", {}).get(part, {})
        if "$ref" in here:
            description = here.get("description")
            here = {**schema["$defs"][here["$ref"].rpartition("/")[2]]}
            here["description"] = description or here.get("description")
    return here


def _known_keys(place: _Place) -> list[str]:
    return list(_schema_at(place).get("properties", {}))


def _description(place: _Place) -> str | None:
    text = _schema_at(place).get("description")
    return str(text) if text else None


def _tree(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _tree(inner, name) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_tree(inner) for inner in value]
    if key == "sql" and isinstance(value, str):
        return _Block(value)
    return value


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Writes SQL as a block."""


def _block(dumper: Any, value: _Block) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="|")


_Dumper.add_representer(_Block, _block)
