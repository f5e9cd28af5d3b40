"""However a mapping is broken, it is refused in bounded work with a short report: no text or value is an exception."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.columns import check_columns, expected_columns
from graph_platform.mapping.checks.problems import problem
from graph_platform.mapping.checks.report import MOST_PROBLEMS, ValidationReport
from graph_platform.mapping.checks.stages import validate
from graph_platform.mapping.definition.document import MAX_DOCUMENT_BYTES, mapping_of, read_mapping, write_mapping
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.structure import check_structure
from graph_platform.relational import Column, Refusal
from graph_platform.warehouse.duckdb.translation import to_duckdb


def refused(read: Callable[[], Any]) -> ValidationReport:
    """The report with which something is refused; it is a short document that UTF-8 and every database keeps."""
    with pytest.raises(PlatformError) as failure:
        read()
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    report = ValidationReport.model_validate(failure.value.details["report"])
    assert not report.valid and 0 < len(report.errors) <= MOST_PROBLEMS
    text = json.dumps(failure.value.document(), ensure_ascii=False)
    assert len(text.encode()) < 3_000_000 and "\\u0000" not in text
    return report


def node(label: str = "A", **changed: Any) -> dict[str, Any]:
    return {"label": label, "sql": "SELECT 1 AS a", "primary_key": {"name": "a", "type": "INT64"}, **changed}


def edge(**changed: Any) -> dict[str, Any]:
    ends = {"from_node": "A", "to_node": "A", "from_key": "x", "to_key": "y"}
    return {"type": "E", "sql": "SELECT 1 AS x, 2 AS y", **ends, **changed}


def mapping(nodes: list[Any], edges: list[Any] | None = None) -> dict[str, Any]:
    return {"name": "m", "node_definitions": nodes, "edge_definitions": edges or []}


def properties(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "type": "STRING"} for name in names]


def describe(sql: str) -> tuple[Column, ...]:
    raise Refusal("TABLE_NOT_FOUND", "there is no such table")


def validated(definition: dict[str, Any]) -> ValidationReport:
    return validate(mapping_of(definition), describe, concurrency=1).report


def calls(work: Callable[[], Any]) -> int:
    """How many calls, of Python and of C, some work takes: a time that no machine makes longer."""
    count = 0

    def one(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(one)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def _reading(text: str) -> Callable[[], Any]:
    return lambda: read_mapping(text)


def _read(text: str) -> Callable[[], Any]:
    return lambda: refused(_reading(text))


def _checked(definition: dict[str, Any]) -> Callable[[], Any]:
    read = MappingDefinition.model_validate(definition)
    return lambda: check_structure(read)


def _validated(definition: dict[str, Any]) -> Callable[[], Any]:
    return lambda: validated(definition)


def _columns(names: list[str], described: list[str]) -> Callable[[], Any]:
    definition = MappingDefinition.model_validate(mapping([node(properties=properties(*names))])).node_definitions[0]
    expected, found = expected_columns(definition, {}), [Column(name, "varchar") for name in described]
    return lambda: check_columns("A", expected, found)


def _many(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


BROKEN: dict[str, Callable[[int], Callable[[], Any]]] = {
    "empty definitions": lambda n: _read("name: m\nnode_definitions:\n" + "- {}\n" * n),
    "empty definitions as data": lambda n: lambda: refused(lambda: mapping_of(mapping([{}] * n))),
    "keys that there are not": lambda n: _read("".join(f"key{i}: x\n" for i in range(n))),
    "keys written twice": lambda n: _read("name: m\n" * n),
    "numbers for text": lambda n: _read("name: m\nnode_definitions:\n" + "- {label: 1, sql: 2}\n" * n),
    "one name for all": lambda n: _checked(mapping([node("A") for _ in range(n)])),
    "names in two spellings": lambda n: _checked(mapping([node(x) for i in range(n) for x in (f"a{i}", f"A{i}")])),
    "columns in two spellings": lambda n: _checked(
        mapping([node(properties=properties(*_many("a", n), *_many("A", n)))])
    ),
    "ends that there are not": lambda n: _checked(
        mapping([node(f"Node{i}") for i in range(n)], [edge(from_node=f"Nobody{i}") for i in range(n)])
    ),
    "one edge again and again": lambda n: _checked(mapping([node()], [edge() for _ in range(n)])),
    "one type with other properties": lambda n: _checked(
        mapping(
            [node()],
            [edge(properties=properties(*_many("p", n)))] + [edge(to_node=f"B{i}") for i in range(n)],
        )
    ),
    "columns that the SQL does not return": lambda n: _columns(_many("wanted", n), _many("returned", n)),
    "columns without a name": lambda n: _columns(_many("wanted", n), [""] * n),
    "SQL that is none": lambda n: _validated(mapping([node(f"N{i}", sql=f"nonsense {i} (") for i in range(n)])),
    "tables that there are not": lambda n: _validated(
        mapping([node(f"N{i}", sql=f"SELECT a FROM t{i}") for i in range(n)])
    ),
    "edges of one type": lambda n: _validated(
        mapping([node()], [edge(to_node=f"B{i}", sql=f"nonsense {i} (") for i in range(n)])
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_twice_the_problems_take_twice_the_work(broken: Callable[[int], Callable[[], Any]]) -> None:
    broken(10)()  # what is made once, such as the model's schema
    once, twice = calls(broken(300)), calls(broken(600))
    assert twice < 2.3 * once + 1000


def test_the_first_hundred_problems_are_listed_and_the_rest_is_counted() -> None:
    report = refused(lambda: read_mapping("name: m\nnode_definitions:\n" + "- {}\n" * 20_000))
    assert len(report.errors) == MOST_PROBLEMS
    assert report.more_errors == 3 * 20_000 - MOST_PROBLEMS
    lines = [found.position.line for found in report.errors if found.position]
    assert lines == sorted(lines) and lines[0] == 3 and len(lines) == MOST_PROBLEMS


def test_structural_problems_are_counted_and_the_sql_of_the_rest_is_said_to_be_unchecked() -> None:
    asked: list[str] = []

    def answers(sql: str) -> tuple[Column, ...]:
        asked.append(sql)
        return (Column("a", "bigint"),)

    broken = mapping([node("_reserved", sql=f"SELECT {i} AS a") for i in range(250)] + [node("Right")])
    report = validate(mapping_of(broken), answers, concurrency=2).report
    assert (len(report.errors), report.more_errors) == (MOST_PROBLEMS, 151)  # 250 names, and that they are one
    assert asked == []
    assert [found.code for found in report.warnings] == ["DEPENDENCY_BROKEN"]
    assert "251 definitions" in report.warnings[0].message
    assert not any(result.valid for result in report.node_results)


def test_the_warehouse_is_not_asked_much_more_than_a_report_can_tell() -> None:
    asked: list[str] = []

    def answers(sql: str) -> tuple[Column, ...]:
        asked.append(sql)
        return describe(sql)

    broken = mapping([node(f"N{i}", sql=f"SELECT a FROM t{i}") for i in range(1000)])
    report = validate(mapping_of(broken), answers, concurrency=4).report
    assert len(report.errors) == MOST_PROBLEMS <= len(asked) < 400
    assert report.warnings[0].message.endswith("not checked, because there are too many problems without it")


def test_a_right_mapping_is_checked_whole_however_large_it_is() -> None:
    right = mapping([node(f"N{i}", sql=f"SELECT {i} AS a") for i in range(150)])
    report = validate(mapping_of(right), lambda sql: (Column("a", "bigint"),), concurrency=2).report
    assert report.valid and len(report.node_results) == 150 and report.more_errors == 0


def test_ten_wrong_definitions_hide_none_of_the_others() -> None:
    broken = [node(f"N{i}", sql="nonsense (") for i in range(10)] + [node("Last", sql="SELECT a FROM nowhere")]
    report = validated(mapping(broken))
    assert {found.entity for found in report.errors} == {*(f"N{i}" for i in range(10)), "Last"}


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_mapping("name: m\n# " + "x" * MAX_DOCUMENT_BYTES),
        lambda: read_mapping(b"name: m\n# " + b"x" * MAX_DOCUMENT_BYTES),
        lambda: read_mapping("name: m\n# " + "ü" * (MAX_DOCUMENT_BYTES // 2)),
        lambda: mapping_of(mapping([node(sql="x" * MAX_DOCUMENT_BYTES)])),
        lambda: mapping_of({"x" * MAX_DOCUMENT_BYTES: 1, "name": "m"}),
    ],
)
def test_a_mapping_that_is_too_large_is_told_its_size_and_the_limit(read: Callable[[], Any]) -> None:
    (found,) = refused(read).errors
    assert f"{MAX_DOCUMENT_BYTES:,}" in found.message and found.message.count(",") > 2


def test_aliases_multiply_neither_values_nor_text() -> None:
    long = "a: &a " + "x" * 100_000 + "\nb: [" + "*a," * 1000 + "]\n"
    (found,) = refused(lambda: read_mapping(long)).errors
    assert "unfolds" in found.message


def test_a_long_name_is_not_repeated_in_full() -> None:
    long = "X" * 150_000
    broken = mapping([node(long)], [edge(type=long, from_node=long + "y", properties=properties(long, long))])
    assert len(validated(broken).model_dump_json()) < 450_000
    assert len(problem(next(iter(problem_codes())), long, long, field=long, hint=long).model_dump_json()) < 20_000


def problem_codes() -> list[Any]:
    from graph_platform.mapping.checks.problems import ProblemCode

    return list(ProblemCode)


HALF = "\ud800"
EVERY_FIELD: dict[str, Callable[[str], dict[str, Any]]] = {
    "name": lambda text: {**mapping([node()]), "name": text},
    "description": lambda text: {**mapping([node()]), "description": text},
    "ttl": lambda text: {**mapping([node()]), "ttl": text},
    "label": lambda text: mapping([node(text)]),
    "sql": lambda text: mapping([node(sql=text)]),
    "primary_key": lambda text: mapping([node(primary_key={"name": text, "type": "INT64"})]),
    "type": lambda text: mapping([node(primary_key={"name": "a", "type": text})]),
    "properties": lambda text: mapping([node(properties=properties(text))]),
    "from_node": lambda text: mapping([node()], [edge(from_node=text)]),
    "to_key": lambda text: mapping([node()], [edge(to_key=text)]),
    "key": lambda text: {**mapping([node()]), text: "x"},
}


@pytest.mark.parametrize("field", EVERY_FIELD)
@pytest.mark.parametrize("text", [HALF, f"a{HALF}b", "\udfff"])
def test_half_a_surrogate_pair_is_a_problem_with_its_place_wherever_it_is(field: str, text: str) -> None:
    data = EVERY_FIELD[field](text)
    found = refused(lambda: mapping_of(data)).errors
    assert any("surrogate" in one.message or "no key" in one.message for one in found)
    for document in (json.dumps(data), json.dumps(data, indent=1), json.dumps(data, ensure_ascii=False)):
        (one,) = refused(_reading(document)).errors
        assert one.position is not None
        assert "surrogate" in f"{one.message} {one.hint}" or "U+D" in one.message


def test_json_may_write_a_character_as_two_escapes() -> None:
    wanted = mapping_of(mapping([node(sql="SELECT '😀\\ud83d' AS a -- \\\\ud83d\\\\ude00")]))
    assert read_mapping(json.dumps(wanted.model_dump(mode="json"))) == wanted
    assert read_mapping(json.dumps(wanted.model_dump(mode="json"), indent=2)) == wanted
    assert read_mapping(write_mapping(wanted)) == wanted
    plain = read_mapping("{name: m, node_definitions: [], description: '\\ud83d\\ude00'}")
    assert plain.description == "\\ud83d\\ude00"


@pytest.mark.parametrize(
    ("content", "words", "place"),
    [
        (b"name: m\nx: \xff", "UTF-8", (2, 4)),
        ("name: m".encode("utf-16"), "UTF-16", (1, 1)),
        (b"name: m\nx: a\x01b", "U+0001", (2, 5)),
        (b"name: m\nx: \xed\xa0\x80", "UTF-8", (2, 4)),
        (b"\x00", "U+0000", (1, 1)),
    ],
)
def test_bytes_that_are_no_text_are_found_with_their_place(content: bytes, words: str, place: tuple[int, int]) -> None:
    (found,) = refused(lambda: read_mapping(content)).errors
    assert words in found.message
    assert found.position and (found.position.line, found.position.column) == place


PIECES = st.sampled_from(
    ["name", ": ", "\n", "- ", "  ", "{", "}", "[", "]", "*a", "&a ", "!!str ", "|", ">", '"', "'", "\\ud800", "\t",
     "node_definitions", "label", "sql", "\ufeff", "\ud800", "\0", "é", "<<", "? ", "%YAML 1.1\n---\n", "1", "~", ","]
)  # fmt: skip
ANY_FILE = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=25).map("".join))
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
        | st.fixed_dictionaries({"name": inner, "node_definitions": inner}, optional={"edge_definitions": inner})
        | st.fixed_dictionaries({"label": inner, "sql": inner, "primary_key": inner}, optional={"properties": inner})
        | st.fixed_dictionaries({"name": inner, "type": inner})
    ),
    max_leaves=15,
)
ANY_TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["A", "a", "INT64", "STRING[", "SELECT 1 AS a", "P1D"]
)
ANY_SHAPED = st.builds(
    mapping,
    st.lists(
        st.builds(
            lambda label, sql, key, kind: node(label, sql=sql, primary_key={"name": key, "type": kind}),
            *[ANY_TEXT] * 4,
        ),
        max_size=3,
    ),
    st.lists(st.builds(lambda kind, a, b: edge(type=kind, from_node=a, to_key=b), *[ANY_TEXT] * 3), max_size=2),
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_FILE)
def test_any_file_is_a_mapping_or_a_report(content: bytes | str) -> None:
    assert refused(lambda: read_mapping(content))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_VALUE | ANY_SHAPED)
def test_any_value_is_a_mapping_or_a_report_and_any_mapping_gets_one(value: Any) -> None:
    try:
        read = mapping_of(value)
    except PlatformError:
        refused(lambda: mapping_of(value))
    else:
        report = validate(read, describe, review=to_duckdb, concurrency=1).report
        report.model_dump_json().encode()


def test_a_value_that_contains_itself_or_is_nested_without_end_is_refused() -> None:
    endless: dict[str, Any] = {"name": "m"}
    endless["node_definitions"] = [endless]
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    for value in (endless, {"name": deep}):
        with pytest.raises(PlatformError, match="nested"):
            mapping_of(value)
