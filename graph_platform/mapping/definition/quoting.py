"""Names that are words of Cypher: a graph may have them, and every query has to write them between backticks."""

from __future__ import annotations

from collections.abc import Iterator

from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.definition.model import EdgeDefinition, NodeDefinition


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED = _words(
    "ACYCLIC ALL AND ANY ASC ASCENDING CASE CAST COLUMN CREATE CSR DBTYPE DEFAULT DESC DESCENDING DISTINCT ELSE END "
    "ENDS EXISTS FALSE FOR GLOB GROUP HEADERS HINT IN INDEX INSTALL JOIN MACRO MULTI_JOIN NONE NOT NULL ON ONLY "
    "OPTIONAL OPTIONS OR ORDER PRIMARY PROFILE SHORTEST SINGLE SORTED STARTS TABLE THEN TRAIL TRUE UNION UNWIND WHEN "
    "WHERE WITH WSHORTEST XOR"
)
"""The keywords that the grammar of either engine does not take for a name."""


def is_word_of_cypher(name: str) -> bool:
    """Whether a query has to quote it."""
    return name.upper() in RESERVED


def check_quoting(definition: NodeDefinition | EdgeDefinition, entity: str) -> Iterator[Problem]:
    """A warning for each name of a definition that queries have to quote."""
    if isinstance(definition, NodeDefinition):
        named = [("label", definition.label, "(:`{}`)"), ("primary_key", definition.primary_key.name, "n.`{}`")]
    else:
        named = [("type", definition.type, "-[:`{}`]->")]
    named += [("properties", each.name, "n.`{}`") for each in definition.properties]
    for field, name, form in named:
        if is_word_of_cypher(name):
            yield problem(
                ProblemCode.NAME_NEEDS_QUOTES,
                entity,
                f"{name} is a word of Cypher, so every query has to quote it",
                field=field,
                hint=f"write {form.format(name)} in queries, or give it another name",
            )
