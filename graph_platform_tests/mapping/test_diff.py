"""What changed between two versions, told as data and as lines."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from graph_platform.mapping.change.diff import Change, change_lines, compare
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform_tests.worlds import MAPPING, people


def changed(**edits: Any) -> dict[str, Any]:
    return {**copy.deepcopy(MAPPING), **edits}


def compared(after: dict[str, Any]) -> tuple[Change, ...]:
    return compare(people(), MappingDefinition.model_validate(after))


def kinds(after: dict[str, Any]) -> list[tuple[str, str, str | None, str | None, str | None]]:
    return [(c.kind, c.entity, c.field, c.before, c.after) for c in compared(after)]


def test_the_same_mapping_has_no_changes() -> None:
    assert compared(changed()) == ()
    assert change_lines(()) == []


def test_a_first_version_is_new() -> None:
    (change,) = compare(None, people())
    assert (change.kind, change.message) == ("MAPPING_CREATED", "people is new, with 2 kinds of node and 2 of edge")


def test_words_and_lives_are_told_with_before_and_after() -> None:
    assert kinds(changed(description="Others", ttl="P5D")) == [
        ("DESCRIPTION_CHANGED", "people", "description", MAPPING["description"], "Others"),
        ("LIFE_CHANGED", "people", "ttl", None, "P5D"),
    ]


def test_properties_that_came_went_and_got_another_type_or_place() -> None:
    after = changed()
    after["node_definitions"][0]["properties"] = [
        {"name": "born", "type": "TIMESTAMP"},
        {"name": "name", "type": "STRING"},
        {"name": "height", "type": "DOUBLE"},
    ]
    assert kinds(after) == [
        ("PROPERTY_RETYPED", "Person", "born", "DATE", "TIMESTAMP"),
        ("PROPERTY_ADDED", "Person", "height", None, "DOUBLE"),
        ("PROPERTY_REMOVED", "Person", "score", "DECIMAL(12,4)", None),
        ("PROPERTIES_REORDERED", "Person", "properties", "name, born", "born, name"),
    ]


def test_a_key_and_the_ends_of_an_edge() -> None:
    after = changed()
    after["node_definitions"][1]["primary_key"]["name"] = "id"
    after["edge_definitions"][0] |= {"from_node": "City", "to_node": "Person", "from_key": "place"}
    assert kinds(after) == [
        ("KEY_CHANGED", "City", "primary_key", "code STRING", "id STRING"),
        ("ENDS_CHANGED", "LIVES_IN", "from_node", "Person → City", "City → Person"),
        ("KEY_CHANGED", "LIVES_IN", "from_key", "person", "place"),
    ]


def test_definitions_that_came_and_went() -> None:
    after = changed()
    del after["node_definitions"][1]
    after["edge_definitions"][0] = {**after["edge_definitions"][0], "type": "RULES"}
    assert [(kind, entity) for kind, entity, *_ in kinds(after)] == [
        ("DEFINITION_REMOVED", "City"),
        ("DEFINITION_ADDED", "RULES"),
        ("DEFINITION_REMOVED", "LIVES_IN"),
    ]


def test_one_more_pair_of_ends_of_a_type_is_an_edge_that_came() -> None:
    after = changed()
    after["edge_definitions"].append({**after["edge_definitions"][1], "to_node": "City"})
    assert [(c.kind, c.message) for c in compared(after)] == [("DEFINITION_ADDED", "edge KNOWS (Person → City)")]


def test_a_name_in_another_case_is_the_same_one_and_still_a_change() -> None:
    after = changed()
    after["node_definitions"][0]["label"] = "PERSON"
    after["node_definitions"][0]["properties"][0]["name"] = "Name"
    after["edge_definitions"][0] |= {"type": "Lives_In", "from_node": "PERSON"}
    assert kinds(after) == [
        ("RENAMED_IN_CASE", "PERSON", "label", "Person", "PERSON"),
        ("RENAMED_IN_CASE", "PERSON", "Name", "name", "Name"),
        ("RENAMED_IN_CASE", "Lives_In", "type", "LIVES_IN", "Lives_In"),
        ("RENAMED_IN_CASE", "Lives_In", "from_node", "Person", "PERSON"),
    ]
    assert change_lines(compared(after))[0] == "~ node PERSON: label was spelt Person and is spelt PERSON"


def test_definitions_in_another_order_are_a_change() -> None:
    after = changed()
    after["node_definitions"].reverse()
    after["edge_definitions"].reverse()
    assert kinds(after) == [
        ("DEFINITIONS_REORDERED", "people", "node_definitions", "Person, City", "City, Person"),
        (
            "DEFINITIONS_REORDERED",
            "people",
            "edge_definitions",
            "LIVES_IN (Person → City), KNOWS (Person → Person)",
            "KNOWS (Person → Person), LIVES_IN (Person → City)",
        ),
    ]


def test_what_comes_or_goes_between_others_does_not_reorder_them() -> None:
    after = changed()
    properties = after["node_definitions"][0]["properties"]
    after["node_definitions"][0]["properties"] = [{"name": "height", "type": "DOUBLE"}, *properties[1:]]
    assert [kind for kind, *_ in kinds(after)] == ["PROPERTY_ADDED", "PROPERTY_REMOVED"]


def test_every_edit_of_every_field_is_a_change() -> None:
    """Each text in another case and longer; each list turned round, shortened, and with its first item twice."""
    edits = list(edited(MAPPING))
    assert len(edits) > 50
    for after in edits:
        definition = MappingDefinition.model_validate(after)
        assert bool(compare(people(), definition)) == (definition != people()), after
        assert bool(compare(definition, people())) == (definition != people()), after


def edited(value: Any) -> Iterator[Any]:
    """The value with one edit somewhere inside it."""
    if isinstance(value, str):
        yield from (value.swapcase(), value + "x")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: after} for after in edited(inner))
    else:
        yield from (value[::-1], value[1:], [*value, *value[:1]])
        for index, inner in enumerate(value):
            yield from ([*value[:index], after, *value[index + 1 :]] for after in edited(inner))
    # The lives of a mapping have a default and are not in every one.
    if isinstance(value, dict) and "node_definitions" in value:
        yield from ({**value, field: "P1D"} for field in ("ttl", "inactivity_timeout"))


def test_changed_sql_shows_its_lines() -> None:
    after = changed()
    after["edge_definitions"][0]["sql"] = "SELECT person, city\nFROM lives\nWHERE city <> 'c0'"
    assert change_lines(compared(after)) == [
        "~ edge LIVES_IN: its SQL",
        "    @@ -1 +1,3 @@",
        "    -SELECT person, city FROM lives",
        "    +SELECT person, city",
        "    +FROM lives",
        "    +WHERE city <> 'c0'",
    ]
