"""Names that are words of Cypher: exactly those that the engines' own grammars refuse, told and avoided."""

from __future__ import annotations

import pytest

from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.definition.model import EdgeDefinition, NodeDefinition
from graph_platform.mapping.definition.quoting import RESERVED, check_quoting
from graph_platform.mapping.suggestion.labels import Names
from graph_platform.mapping.suggestion.selection import selection
from graph_platform.relational import Column
from graph_platform_tests.engine.grammar import SPELLED, grammar


def test_the_table_is_what_the_grammars_do_not_take_for_names() -> None:
    refused = set()
    for engine in ("ladybug", "ryugraph"):
        known = grammar(engine)
        for word in SPELLED:
            [(kind, _)] = known.cut(word)
            if known.spelled(kind) != "a name" and word not in known.names:
                refused.add(word)
    assert refused == RESERVED


def found(problems: list[Problem]) -> list[tuple[str | None, str, str | None]]:
    return [(each.field, each.message.partition(" is ")[0], each.hint) for each in problems]


def test_each_name_of_a_definition_is_told_with_how_it_is_written() -> None:
    node = NodeDefinition.model_validate(
        {
            "label": "Order",
            "sql": "SELECT 1",
            "primary_key": {"name": "end", "type": "INT64"},
            "properties": [{"name": "Desc", "type": "STRING"}, {"name": "description", "type": "STRING"}],
        }
    )
    assert found(list(check_quoting(node, "Order"))) == [
        ("label", "Order", "write (:`Order`) in queries, or give it another name"),
        ("primary_key", "end", "write n.`end` in queries, or give it another name"),
        ("properties", "Desc", "write n.`Desc` in queries, or give it another name"),
    ]
    edge = EdgeDefinition.model_validate(
        {"type": "WITH", "from_node": "A", "to_node": "B", "sql": "SELECT 1", "from_key": "a", "to_key": "b"}
    )
    [told] = check_quoting(edge, "WITH")
    assert (told.code, told.field, told.hint) == (
        "NAME_NEEDS_QUOTES",
        "type",
        "write -[:`WITH`]-> in queries, or give it another name",
    )


LABELS = [("orders", "Orders"), ("order", "NodeOrder"), ("order_items", "OrderItem"), ("ends", "NodeEnd")]


@pytest.mark.parametrize(("table", "label"), LABELS)
def test_a_suggestion_has_no_label_that_wants_quotes(table: str, label: str) -> None:
    assert Names().label(table) == label


def test_a_suggestion_has_no_property_or_type_that_wants_quotes() -> None:
    assert Names().edge_type("with") == "EDGE_WITH"
    made = selection((), (Column("desc", "varchar"), Column("desc_value", "varchar"), Column("kind", "varchar")))
    assert [(each.name, each.sql) for each in made.properties] == [
        ("desc_value_2", '"desc" AS desc_value_2'),
        ("desc_value", "desc_value"),
        ("kind", "kind"),
    ]
    assert made.notes == ("desc is named desc_value_2, since queries would have to quote that word",)
