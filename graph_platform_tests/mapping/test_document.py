"""Mapping files: what reads, what does not, and where the message points."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.definition.document import mapping_json_schema, read_mapping, write_mapping
from graph_platform.mapping.definition.model import MappingDefinition

GOOD = """\
name: flights
description: "who flies where"
ttl: P30D
node_definitions:
  - label: Airport
    sql: |
      SELECT faa, name
      FROM airports  -- all of them
    primary_key: {name: faa, type: STRING}
    properties:
      - {name: name, type: STRING}
edge_definitions:
  - type: FLIES_TO
    from_node: Airport
    to_node: Airport
    sql: SELECT origin, dest FROM flights
    from_key: origin
    to_key: dest
"""


def problems(text: str) -> list[dict[str, Any]]:
    with pytest.raises(PlatformError) as failure:
        read_mapping(text)
    assert failure.value.code is ErrorCode.VALIDATION_FAILED
    report = failure.value.details["report"]
    assert report["valid"] is False
    json.dumps(report)
    found: list[dict[str, Any]] = report["errors"]
    return found


def at(problem: dict[str, Any]) -> tuple[int, int]:
    return problem["position"]["line"], problem["position"]["column"]


def test_a_yaml_file_is_read() -> None:
    mapping = read_mapping(GOOD)
    assert mapping.name == "flights"
    assert mapping.node_definitions[0].sql == "SELECT faa, name\nFROM airports  -- all of them\n"


def test_the_same_in_json_is_the_same_mapping() -> None:
    mapping = read_mapping(GOOD)
    assert read_mapping(json.dumps(mapping.model_dump(mode="json"), indent=1)) == mapping


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read_mapping("\ufeff" + GOOD) == read_mapping(GOOD)


def test_a_mapping_reads_back_as_it_was_written_with_sql_as_a_block() -> None:
    mapping = read_mapping(GOOD)
    text = write_mapping(mapping)
    assert read_mapping(text) == mapping
    assert "sql: |\n    SELECT faa, name\n    FROM airports  -- all of them\n" in text


TEXT = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).map(str.strip).filter(bool)
)


@given(name=TEXT, sql=TEXT, key=TEXT, kind=TEXT)
def test_any_mapping_reads_back_as_it_was_written(name: str, sql: str, key: str, kind: str) -> None:
    mapping = MappingDefinition.model_validate(
        {
            "name": name,
            "description": sql,
            "node_definitions": [
                {"label": key, "sql": sql, "primary_key": {"name": key, "type": kind}, "properties": []},
            ],
        }
    )
    assert read_mapping(write_mapping(mapping)) == mapping


def test_a_misspelt_key_is_found_with_what_was_meant() -> None:
    unknown, missing = sorted(
        problems(GOOD.replace("    to_key: dest", "    to_kye: dest")), key=lambda p: -p["position"]["line"]
    )
    assert (unknown["code"], unknown["entity"], unknown["field"]) == ("DOCUMENT_KEY_UNKNOWN", "FLIES_TO", "to_kye")
    assert unknown["hint"] == "did you mean to_key?"
    assert at(unknown) == (18, 5)
    assert (missing["code"], missing["field"]) == ("DOCUMENT_KEY_MISSING", "to_key")


def test_a_key_that_is_like_none_lists_those_that_are() -> None:
    (found,) = problems(GOOD + "zzz: 1\n")
    assert "node_definitions" in found["hint"]
    assert at(found) == (19, 1)


@pytest.mark.parametrize("kind", ["DECIMAL(12,2)", "MAP(STRING,INT64)"])
def test_a_type_with_a_comma_in_braces_is_to_be_quoted(kind: str) -> None:
    text = GOOD.replace("{name: name, type: STRING}", f"{{name: name, type: {kind}}}")
    (found,) = problems(text)
    assert (found["code"], found["entity"], found["field"]) == ("DOCUMENT_SYNTAX", "Airport", "type")
    assert found["hint"] == f'quote it: type: "{kind}"'
    assert found["position"]["line"] == text[: text.index(kind)].count("\n") + 1
    read_mapping(text.replace(kind, f'"{kind}"'))
    (spaced,) = problems(text.replace(",2)", ", 2)").replace(",INT64)", ", INT64)"))
    assert spaced["hint"] == found["hint"]


def test_a_key_written_twice_is_found_at_the_second() -> None:
    (found,) = problems(GOOD + "name: again\n")
    assert (found["code"], found["field"], at(found)) == ("DOCUMENT_KEY_DUPLICATE", "name", (19, 1))


def test_what_yaml_takes_for_a_boolean_or_a_number_is_asked_for_in_quotes() -> None:
    found = problems(GOOD.replace("type: STRING}\nedge", "type: NO}\nedge").replace("name: flights\n", "name: 2024\n"))
    assert [(p["code"], p["hint"]) for p in found] == [
        ("DOCUMENT_VALUE", 'write "2024", in quotes'),
        ("DOCUMENT_VALUE", 'write "NO", in quotes'),
    ]
    assert at(found[1]) == (11, 28)


def test_an_empty_value_is_said_to_be_empty() -> None:
    (found,) = problems(GOOD.replace("to_key: dest", "to_key:"))
    assert "empty" in found["message"]
    assert found["position"]["line"] == 18


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file() -> None:
    found = problems("nam: x\nnode_definitions:\n  - label: A\n    primary_key: faa\n  - 7\nedge_definitions: {}\n")
    lines = [p["position"]["line"] for p in found]
    assert lines == sorted(lines)
    assert {p["code"] for p in found} == {"DOCUMENT_KEY_UNKNOWN", "DOCUMENT_KEY_MISSING", "DOCUMENT_VALUE"}
    assert {p["entity"] for p in found} >= {"A", "node 2", "mapping"}


@pytest.mark.parametrize(
    ("text", "line"), [("name: [a", 2), ("a: b: c\n", 1), ("name: x\n\tttl: y\n", 2), ('name: "x\n', 2), ("a: *b\n", 1)]
)
def test_what_is_not_yaml_is_found_with_its_line(text: str, line: int) -> None:
    (found,) = problems(text)
    assert found["code"] == "DOCUMENT_SYNTAX"
    assert found["position"]["line"] == line


@pytest.mark.parametrize("text", ["", "# only a comment", "- a", "just text", "null", "\x00", "--- a\n--- b\n"])
def test_a_text_without_keys_is_found(text: str) -> None:
    (found,) = problems(text)
    assert found["code"] == "DOCUMENT_SYNTAX"


def test_python_objects_are_not_made() -> None:
    found = problems("name: !!python/object/apply:os.system ['true']\nnode_definitions: []\n")
    assert found[0]["code"] == "DOCUMENT_VALUE"


def test_nesting_without_end_is_refused_and_does_not_end_the_process() -> None:
    (found,) = problems("name: " + "[" * 200_000)
    assert "deep" in found["message"]


def test_aliases_that_multiply_are_refused() -> None:
    bomb = "a: &a [" + "x," * 50 + "]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 20)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )  # fmt: skip
    (found,) = problems(bomb)
    assert "too many" in found["message"]


def test_an_alias_to_itself_is_refused() -> None:
    assert problems("name: &x {a: *x}\n")


@given(st.text(max_size=60))
def test_any_text_is_a_mapping_or_a_refusal(text: str) -> None:
    assert problems(text)


def test_the_json_schema_names_every_key_with_a_description() -> None:
    schema = mapping_json_schema()
    assert set(schema["required"]) == {"name", "node_definitions"}
    assert schema["additionalProperties"] is False
    assert all(value.get("description") for value in schema["$defs"]["EdgeDefinition"]["properties"].values())


def test_a_nul_character_is_a_problem_with_its_place() -> None:
    (name,) = problems(GOOD.replace("name: flights", 'name: "a\\0b"'))
    assert (name["code"], name["field"], at(name)) == ("DOCUMENT_VALUE", "name", (1, 7))
    (sql,) = problems(GOOD.replace("sql: SELECT origin, dest FROM flights", "sql: \"SELECT '\\0'\""))
    assert (sql["field"], at(sql)) == ("edge_definitions.sql", (16, 10))
