"""Mapping files: YAML or JSON text to a `MappingDefinition` and back, with every mistake and its line at once.

The shape is checked here, by the model's own schema. The rules over names and limits are `structure`.
"""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.model import MappingDefinition
from graph_platform.mapping.problems import ProblemCode, problem
from graph_platform.mapping.report import Problem, ValidationReport
from graph_platform.mapping.structure import suggestion

MAX_DOCUMENT_CHARACTERS = 5_000_000
MAX_DOCUMENT_NODES = 200_000
MAX_DOCUMENT_DEPTH = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_KINDS = {
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a group of keys",
    "model_attributes_type": "a group of keys",
    "dict_type": "a group of keys",
}
_Place = tuple[str | int, ...]


class _Refused(Exception):
    """The text has no tree to look at further."""


class _Block(str):
    """Text that is written as a YAML block."""


def read_mapping(text: str) -> MappingDefinition:
    """The mapping in a YAML or JSON text.

    Raises:
        PlatformError: VALIDATION_FAILED; `details["report"]` is a `ValidationReport` with every problem and where it
            is in the text.
    """
    problems: list[Problem] = []
    data: Any = None
    marks: dict[_Place, tuple[int, int]] = {}
    try:
        node = _composed(text)
        data = _Reader(problems, marks).value(node, ())
    except _Refused as refused:
        problems.append(refused.args[0])
    name = data["name"] if isinstance(data, dict) and isinstance(data.get("name"), str) else "mapping"
    name = name.replace("\0", "\ufffd")
    if data is not None:
        try:
            mapping = MappingDefinition.model_validate(data)
        except ValidationError as error:
            problems += [_problem(dict(found), data, marks, name) for found in error.errors(include_url=False)]
        else:
            if not problems:
                return mapping
    raise _failure(name, sorted(problems, key=lambda p: (p.position.line, p.position.column) if p.position else (0, 0)))


def write_mapping(mapping: MappingDefinition) -> str:
    """YAML that `read_mapping` reads back to an equal mapping, SQL as indented blocks."""
    return str(
        yaml.dump(_tree(mapping.model_dump(exclude_defaults=True)), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    )


def mapping_json_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping file, for editors."""
    schema = MappingDefinition.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _failure(name: str, problems: list[Problem]) -> PlatformError:
    report = ValidationReport(valid=False, errors=tuple(problems))
    first, more = problems[0], len(problems) - 1
    where = f" (line {first.position.line})" if first.position else ""
    message = f"{name} cannot be read: {first.message}{where}" + (f", and {more} more" if more else "")
    return PlatformError(ErrorCode.VALIDATION_FAILED, message, first.hint, {"report": report.model_dump(mode="json")})


def _composed(text: str) -> yaml.Node:
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise _Refused(
            problem(ProblemCode.DOCUMENT_SYNTAX, "mapping", f"the text has {len(text)} characters, too many")
        )
    text = text.removeprefix("\ufeff")  # an editor on Windows may put a byte order mark first
    try:
        _bound_depth(text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise _Refused(
            problem(
                ProblemCode.DOCUMENT_SYNTAX,
                "mapping",
                f"this is not YAML: {what}",
                hint="check indentation and quotes; text with `: ` or ` #` in it needs quotes",
                position=(mark.line + 1, mark.column + 1) if mark else None,
            )
        ) from error
    if not isinstance(node, yaml.MappingNode):
        hint = "a mapping begins with its keys, e.g. name: flights"
        raise _Refused(problem(ProblemCode.DOCUMENT_SYNTAX, "mapping", "the text has no keys", hint=hint))
    return node


def _bound_depth(text: str) -> None:
    """Look at the events first: libyaml's own tree building recurses in C, and ends the process on deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DOCUMENT_DEPTH:
                raise _Refused(problem(ProblemCode.DOCUMENT_SYNTAX, "mapping", "the text is nested too deeply"))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Reader:
    """Turns the YAML tree into data: text stays text, keys are unique, and aliases cannot multiply without end."""

    def __init__(self, problems: list[Problem], marks: dict[_Place, tuple[int, int]]) -> None:
        self.problems = problems
        self.marks = marks
        self.visited = 0

    def value(self, node: yaml.Node, place: _Place) -> Any:
        self.visited += 1
        if self.visited > MAX_DOCUMENT_NODES or len(place) > MAX_DOCUMENT_DEPTH:
            raise _Refused(problem(ProblemCode.DOCUMENT_SYNTAX, "mapping", "the text unfolds to too many values"))
        position = (node.start_mark.line + 1, node.start_mark.column + 1)
        self.marks.setdefault(place, position)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*place, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.group(node, place)
        if node.tag == "tag:yaml.org,2002:str":
            self.refuse_nul(node, place)
            return str(node.value)
        if node.tag == "tag:yaml.org,2002:null":
            return None
        # `type: NO` and `name: 2024` are a boolean and a number to YAML; the model says that text is wanted.
        return _Scalar(str(node.value), node.tag.rpartition(":")[2])

    def refuse_nul(self, node: yaml.Node, place: _Place) -> None:
        if "\0" in str(node.value):
            field = ".".join(str(part) for part in place if not isinstance(part, int))
            message = f"{field} has a NUL character"
            hint = "write it without \\0, which no database keeps"
            position = self.marks[place]
            self.problems.append(
                problem(ProblemCode.DOCUMENT_VALUE, "mapping", message, field=field, hint=hint, position=position)
            )

    def group(self, node: yaml.MappingNode, place: _Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            position = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                message = "a key is not plain text" if not isinstance(key_node, yaml.ScalarNode) else "<< is not a key"
                self.problems.append(problem(ProblemCode.DOCUMENT_VALUE, "mapping", message, position=position))
                continue
            key = str(key_node.value)
            if key in found:
                self.problems.append(
                    problem(
                        ProblemCode.DOCUMENT_KEY_DUPLICATE,
                        _entity(found, place) or "mapping",
                        f"{key} is written twice",
                        field=key,
                        position=position,
                    )
                )
                continue
            self.marks[(*place, key, "<key>")] = position
            found[key] = self.value(value_node, (*place, key))
        return found


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


def _problem(found: dict[str, Any], data: Any, marks: dict[_Place, tuple[int, int]], name: str) -> Problem:
    place: _Place = tuple(found["loc"])
    kind = found["type"]
    entity = name
    if len(place) >= 2 and place[0] in ("node_definitions", "edge_definitions"):
        noun = "node" if place[0] == "node_definitions" else "edge"
        entity = _entity(_at(data, place[:2]), place) or f"{noun} {int(place[1]) + 1}"
    key = str(place[-1]) if place else None
    position = marks.get((*place, "<key>")) or next(
        (marks[place[:n]] for n in range(len(place), -1, -1) if place[:n] in marks), None
    )
    if kind == "extra_forbidden":
        known = _known_keys(place[:-1])
        meant = suggestion(str(key), known)
        hint = f"did you mean {meant}?" if meant else f"the keys here are: {', '.join(known)}"
        message = f"there is no key {key}"
        return problem(ProblemCode.DOCUMENT_KEY_UNKNOWN, entity, message, field=key, hint=hint, position=position)
    if kind == "missing":
        message = f"{key} is missing"
        wanted_here = _description(place)
        return problem(
            ProblemCode.DOCUMENT_KEY_MISSING, entity, message, field=key, hint=wanted_here, position=position
        )
    wanted = _KINDS.get(kind)
    value = _at(data, place)
    label = ".".join(str(part) for part in place if not isinstance(part, int)) or "the file"
    described = _description(place)
    message = f"{label} must be {wanted}" if wanted else f"{label}: {found['msg']}"
    hint_text = described
    if isinstance(value, _Scalar):
        message = f"{label} must be {wanted or 'text'}, but {value.text} is {_article(value.kind)}"
        hint_text = f'write "{value.text}", in quotes' if wanted == "text" else described
    elif value is None:
        message += ", but is empty"
    position = marks.get(place) or position
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


def _schema_at(place: _Place) -> dict[str, Any]:
    schema = MappingDefinition.model_json_schema()
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
