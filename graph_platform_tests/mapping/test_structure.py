"""The rules that need no warehouse: each broken alone is found, and found together with the others."""

from __future__ import annotations

from typing import Any

import pytest

from graph_platform.durations import Duration
from graph_platform.lives import Grant, Lived
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.mapping.definition.structure import check_structure, property_name
from graph_platform.names import RULE


def node(label: str = "Airport", key: str = "faa", properties: list[tuple[str, str]] | None = None) -> dict[str, Any]:
    return {
        "label": label,
        "sql": "SELECT 1",
        "primary_key": {"name": key, "type": "STRING"},
        "properties": [{"name": n, "type": t} for n, t in properties or []],
    }


def edge(**changes: Any) -> dict[str, Any]:
    base = {
        "type": "FLIES_TO",
        "from_node": "Airport",
        "to_node": "Airport",
        "sql": "SELECT 1",
        "from_key": "origin",
        "to_key": "dest",
        "properties": [],
    }
    return {**base, **changes}


def mapping(nodes: list[Any] | None = None, edges: list[Any] | None = None, **more: Any) -> MappingDefinition:
    nodes = [node()] if nodes is None else nodes
    return MappingDefinition.model_validate(
        {"name": "flights", "node_definitions": nodes, "edge_definitions": edges or [], **more}
    )


def codes(found: MappingDefinition, grant: Grant | None = None) -> list[tuple[str, str, str | None]]:
    return [(p.code, p.entity, p.field) for p in check_structure(found, grant)]


def test_a_good_mapping_has_no_problem() -> None:
    assert codes(mapping([node("Order"), node("Group_2")], [edge(from_node="order", to_node="Group_2")])) == []


@pytest.mark.parametrize("label", ["Air port", "1Airport", "Flughäfen", "", "a-b", "Air`port", "A" * 65, "A;B"])
def test_a_label_that_breaks_the_rule_is_found(label: str) -> None:
    assert [c[0] for c in codes(mapping([node(label)]))] == ["LABEL_INVALID"]


@pytest.mark.parametrize("edge_type", ["flies_to", "FLIES TO", "1FLIES", "Flies", "F" * 65])
def test_an_edge_type_that_breaks_the_rule_is_found(edge_type: str) -> None:
    assert [c[0] for c in codes(mapping(edges=[edge(type=edge_type)]))] == ["EDGE_TYPE_INVALID"]


def test_the_hint_repairs_an_edge_type() -> None:
    (found,) = check_structure(mapping(edges=[edge(type="flies to")]))
    assert found.hint is not None
    assert "FLIES_TO" in found.hint


@pytest.mark.parametrize("name", ["_id", "_ID", "_label", "_src", "_internal_x", "_system_x", "_loaded"])
def test_a_reserved_name_is_found_wherever_it_stands(name: str) -> None:
    assert codes(mapping([node(key=name)])) == [("NAME_RESERVED", "Airport", "primary_key")]
    assert codes(mapping([node(properties=[(name, "STRING")])])) == [("NAME_RESERVED", "Airport", name)]
    assert codes(mapping(edges=[edge(from_key=name)])) == [("NAME_RESERVED", "FLIES_TO", "from_key")]
    assert ("NAME_RESERVED", name, "label") in codes(mapping([node(name)]))


@pytest.mark.parametrize("name", ["", "a`b", "a,b", "a\x00b", "a\nb", "x" * 256, "a\u2028b"])
def test_a_property_name_that_cannot_be_quoted_is_found(name: str) -> None:
    assert [c[0] for c in codes(mapping([node(properties=[(name, "STRING")])]))] == ["PROPERTY_NAME_INVALID"]


def test_keys_that_differ_only_in_case_are_found() -> None:
    (found,) = check_structure(mapping([node("A", key="Id"), node("B", key="id"), node("C", key="Id")]))
    assert (found.code, found.entity, found.field) == ("PROPERTY_NAME_INVALID", "B", "primary_key")
    assert found.hint == "write Id in both"


@pytest.mark.parametrize("name", ["order", "a b", "ä", "1a", 'a"b', "日本", "x" * 255])
def test_a_property_name_that_only_needs_quotes_is_fine(name: str) -> None:
    assert codes(mapping([node(properties=[(name, "STRING")])])) == []


def test_columns_that_differ_only_by_case_are_one_name() -> None:
    assert codes(mapping([node(key="Faa", properties=[("FAA", "STRING")])])) == [
        ("COLUMN_NAME_DUPLICATE", "Airport", "FAA")
    ]


def test_labels_that_differ_only_by_case_are_one_name_also_between_nodes_and_edges() -> None:
    assert codes(mapping([node("Airport"), node("AIRPORT")])) == [("NAME_DUPLICATE", "AIRPORT", None)]
    assert codes(mapping([node("Airport"), node("Flies_To")], [edge()])) == [("NAME_DUPLICATE", "FLIES_TO", None)]


def test_a_label_twice_is_found() -> None:
    assert codes(mapping([node(), node()])) == [("NAME_DUPLICATE", "Airport", None)]


def test_an_edge_type_may_come_again_with_other_ends_and_the_same_properties() -> None:
    nodes = [node("A"), node("B")]
    one = edge(from_node="A", to_node="B", properties=[{"name": "w", "type": "INT"}])
    two = edge(from_node="B", to_node="A", properties=[{"name": "W", "type": "int32"}])
    assert codes(mapping(nodes, [one, two])) == []
    assert codes(mapping(nodes, [one, {**one, "from_node": "a"}])) == [("EDGE_PAIR_DUPLICATE", "FLIES_TO", "to_node")]
    for other in ([], [{"name": "w", "type": "STRING"}], [{"name": "v", "type": "INT"}]):
        assert codes(mapping(nodes, [one, {**two, "properties": other}])) == [
            ("EDGE_PROPERTIES_DIFFER", "FLIES_TO", "properties")
        ]


def test_from_key_and_to_key_must_differ() -> None:
    assert codes(mapping(edges=[edge(from_key="a", to_key="A")])) == [("EDGE_KEYS_SAME", "FLIES_TO", "to_key")]


def test_an_unknown_end_is_found_with_what_was_meant() -> None:
    (found,) = check_structure(mapping(edges=[edge(to_node="Aiport")]))
    assert (found.code, found.field) == ("UNKNOWN_NODE", "to_node")
    assert found.hint == "did you mean Airport?"


def test_a_mapping_needs_a_node() -> None:
    assert codes(mapping([])) == [("NO_NODES", "flights", "node_definitions")]


def test_a_hundred_properties_are_allowed_and_one_more_is_not() -> None:
    hundred = [(f"p{i}", "STRING") for i in range(100)]
    assert codes(mapping([node(properties=hundred)])) == []
    assert codes(mapping([node(properties=[*hundred, ("q", "STRING")])])) == [
        ("TOO_MANY_PROPERTIES", "Airport", "properties")
    ]


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "a\x00b", "a@1", "../../etc", "x/../y", "a b", ".a", "-a"])
def test_a_name_that_breaks_the_rule_is_found(name: str) -> None:
    (found,) = check_structure(mapping(name=name))
    assert (found.code, found.field, found.hint) == ("NAME_INVALID", "name", RULE)


def test_durations_are_read_and_held_to_their_ceilings() -> None:
    grant = Grant(Lived.MAPPING, None, Duration(days=1), ceiling=Duration(days=1))
    assert codes(mapping(ttl="P1D", inactivity_timeout="PT1H"), grant) == []
    assert codes(mapping(ttl="forever"), grant) == [("DURATION_INVALID", "flights", "ttl")]
    assert codes(mapping(ttl=""), grant) == [("DURATION_INVALID", "flights", "ttl")]
    assert codes(mapping(ttl="P2D"), grant) == [("DURATION_TOO_LONG", "flights", "ttl")]
    assert codes(mapping(inactivity_timeout="P1M"), grant) == [("DURATION_TOO_LONG", "flights", "inactivity_timeout")]


def test_a_life_that_was_settled_when_the_version_was_kept_is_only_read() -> None:
    assert codes(mapping(ttl="P2Y")) == []
    assert codes(mapping(ttl="forever")) == [("DURATION_INVALID", "flights", "ttl")]


def test_every_problem_is_reported_at_once() -> None:
    found = codes(mapping([node("a b"), node("B", key="_x")], [edge(type="low", to_node="C")], ttl="soon"))
    assert {c[0] for c in found} == {
        "LABEL_INVALID", "NAME_RESERVED", "EDGE_TYPE_INVALID", "UNKNOWN_NODE", "DURATION_INVALID",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["", "_", "__id", "a`b", "a,b", "`", "_`x", "a\nb", "x" * 300, "_" + "x" * 300, "\u2028"]
)
def test_the_name_that_comes_nearest_to_a_refused_one_is_allowed(name: str) -> None:
    assert codes(mapping([node(properties=[(property_name(name), "STRING")])])) == []


@pytest.mark.parametrize("name", ["order", "a b", "1a", "日本", "x" * 255])
def test_an_allowed_name_is_the_nearest_to_itself(name: str) -> None:
    assert property_name(name) == name


def test_a_description_with_a_nul_character_is_found() -> None:
    assert codes(mapping(description="a\0b")) == [("DOCUMENT_VALUE", "flights", "description")]
