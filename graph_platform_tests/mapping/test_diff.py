"""What changed between two versions, told as data and as lines."""

from __future__ import annotations

import copy
from typing import Any

from graph_platform.mapping.diff import Change, change_lines, compare
from graph_platform.mapping.model import MappingDefinition
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


def test_labels_are_compared_as_the_engines_do() -> None:
    after = changed()
    after["edge_definitions"][0] |= {"from_node": "PERSON"}
    assert kinds(after) == []


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
