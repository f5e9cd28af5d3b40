"""The codes of what can be wrong with a mapping, as one table: name, meaning and the usual fix.

Only the vocabulary is here. The rules that find a problem are those of the rooms beside this one, and what
fails outside a mapping is `graph_platform.errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from graph_platform.mapping.checks.report import Position, Problem

MAX_NAME_SHOWN = 255
MAX_TEXT_SHOWN = 8000
"""Characters of a problem's names and of its sentences: a mapping may be one long name that every problem is about."""

_UNKEPT = re.compile("[\0\ud800-\udfff]")


class ProblemCode(StrEnum):
    """The name of a problem, stable across releases."""

    DOCUMENT_SYNTAX = "DOCUMENT_SYNTAX"
    DOCUMENT_KEY_UNKNOWN = "DOCUMENT_KEY_UNKNOWN"
    DOCUMENT_KEY_MISSING = "DOCUMENT_KEY_MISSING"
    DOCUMENT_KEY_DUPLICATE = "DOCUMENT_KEY_DUPLICATE"
    DOCUMENT_VALUE = "DOCUMENT_VALUE"

    NAME_INVALID = "NAME_INVALID"
    LABEL_INVALID = "LABEL_INVALID"
    EDGE_TYPE_INVALID = "EDGE_TYPE_INVALID"
    PROPERTY_NAME_INVALID = "PROPERTY_NAME_INVALID"
    NAME_RESERVED = "NAME_RESERVED"
    NAME_NEEDS_QUOTES = "NAME_NEEDS_QUOTES"
    NAME_DUPLICATE = "NAME_DUPLICATE"
    COLUMN_NAME_DUPLICATE = "COLUMN_NAME_DUPLICATE"
    TOO_MANY_PROPERTIES = "TOO_MANY_PROPERTIES"
    NO_NODES = "NO_NODES"
    EDGE_PAIR_DUPLICATE = "EDGE_PAIR_DUPLICATE"
    EDGE_PROPERTIES_DIFFER = "EDGE_PROPERTIES_DIFFER"
    EDGE_KEYS_SAME = "EDGE_KEYS_SAME"
    UNKNOWN_NODE = "UNKNOWN_NODE"
    DURATION_INVALID = "DURATION_INVALID"
    DURATION_TOO_LONG = "DURATION_TOO_LONG"

    SQL_EMPTY = "SQL_EMPTY"
    SQL_SYNTAX = "SQL_SYNTAX"
    SQL_NOT_A_QUERY = "SQL_NOT_A_QUERY"
    SQL_MULTIPLE_STATEMENTS = "SQL_MULTIPLE_STATEMENTS"
    SQL_PARAMETER = "SQL_PARAMETER"
    SQL_FUNCTION_NOT_ALLOWED = "SQL_FUNCTION_NOT_ALLOWED"
    SQL_TABLE_NOT_ALLOWED = "SQL_TABLE_NOT_ALLOWED"
    SQL_TOO_COMPLEX = "SQL_TOO_COMPLEX"
    SQL_NOT_TRANSLATED = "SQL_NOT_TRANSLATED"
    SQL_TRANSLATION_UNTESTED = "SQL_TRANSLATION_UNTESTED"
    SQL_TRANSLATION_DIFFERS = "SQL_TRANSLATION_DIFFERS"
    SQL_SEMANTICS = "SQL_SEMANTICS"
    TABLE_NOT_FOUND = "TABLE_NOT_FOUND"
    COLUMN_NOT_FOUND = "COLUMN_NOT_FOUND"
    FUNCTION_NOT_FOUND = "FUNCTION_NOT_FOUND"
    PERMISSION_DENIED = "PERMISSION_DENIED"

    COLUMN_MISSING = "COLUMN_MISSING"
    COLUMN_EXTRA = "COLUMN_EXTRA"
    COLUMN_DUPLICATE = "COLUMN_DUPLICATE"
    COLUMN_UNNAMED = "COLUMN_UNNAMED"
    COLUMN_ORDER = "COLUMN_ORDER"

    TYPE_UNKNOWN = "TYPE_UNKNOWN"
    TYPE_UNSUPPORTED = "TYPE_UNSUPPORTED"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TYPE_PRECISION = "TYPE_PRECISION"
    KEY_TYPE_NOT_ALLOWED = "KEY_TYPE_NOT_ALLOWED"
    KEY_TYPE_MISMATCH = "KEY_TYPE_MISMATCH"
    DEPENDENCY_BROKEN = "DEPENDENCY_BROKEN"

    SQL_NOT_PROVED = "SQL_NOT_PROVED"
    SQL_OUT_OF_MEMORY = "SQL_OUT_OF_MEMORY"
    SQL_TIMEOUT = "SQL_TIMEOUT"
    SQL_CRASHED = "SQL_CRASHED"

    DATA_KEY_NULL = "DATA_KEY_NULL"
    DATA_KEY_DUPLICATE = "DATA_KEY_DUPLICATE"
    DATA_END_MISSING = "DATA_END_MISSING"
    DATA_NOT_CHECKED = "DATA_NOT_CHECKED"


@dataclass(frozen=True)
class ProblemKind:
    """What a code means, and the fix where one fits every case."""

    meaning: str
    fix: str | None = None


_C = ProblemCode

PROBLEM_KINDS: Mapping[ProblemCode, ProblemKind] = MappingProxyType(
    {
        _C.DOCUMENT_SYNTAX: ProblemKind("The text is not YAML or JSON."),
        _C.DOCUMENT_KEY_UNKNOWN: ProblemKind("A key that mappings do not have."),
        _C.DOCUMENT_KEY_MISSING: ProblemKind("A required key is absent."),
        _C.DOCUMENT_KEY_DUPLICATE: ProblemKind("A key is written twice.", "Remove one of the two."),
        _C.DOCUMENT_VALUE: ProblemKind("A value is of the wrong kind."),
        _C.NAME_INVALID: ProblemKind("The mapping's name breaks a rule."),
        _C.LABEL_INVALID: ProblemKind("A node label breaks a rule."),
        _C.EDGE_TYPE_INVALID: ProblemKind("An edge type breaks a rule."),
        _C.PROPERTY_NAME_INVALID: ProblemKind("A property or key name breaks a rule."),
        _C.NAME_RESERVED: ProblemKind("A name is reserved for the platform or the engines."),
        _C.NAME_NEEDS_QUOTES: ProblemKind("A name that queries have to quote, since it is a word of Cypher."),
        _C.NAME_DUPLICATE: ProblemKind("Two definitions share a name, as the engines compare names."),
        _C.COLUMN_NAME_DUPLICATE: ProblemKind("A definition names a column twice, without regard to case."),
        _C.TOO_MANY_PROPERTIES: ProblemKind("A definition has more properties than allowed."),
        _C.NO_NODES: ProblemKind("A mapping needs at least one node definition."),
        _C.EDGE_PAIR_DUPLICATE: ProblemKind("An edge type has the same two ends twice.", "Join them with UNION ALL."),
        _C.EDGE_PROPERTIES_DIFFER: ProblemKind("An edge type that comes several times has different properties."),
        _C.EDGE_KEYS_SAME: ProblemKind("from_key and to_key are one column.", "Give one of them an alias in the SQL."),
        _C.UNKNOWN_NODE: ProblemKind("An edge names a node definition that the mapping lacks."),
        _C.DURATION_INVALID: ProblemKind(
            "A duration that cannot be read.", "Write 30d or 1d12h, or in ISO 8601 P30D or P1DT12H."
        ),
        _C.DURATION_TOO_LONG: ProblemKind("A duration above the installation's ceiling."),
        _C.SQL_EMPTY: ProblemKind("A definition has no SQL.", "Write one SELECT."),
        _C.SQL_SYNTAX: ProblemKind(
            "The SQL cannot be parsed.",
            "check commas, parentheses and quotes there; the dialect is Trino's (else make what Trino takes a view)",
        ),
        _C.SQL_NOT_PROVED: ProblemKind(
            "The warehouse failed at this SQL for another reason than what it says.",
            "see whether it can read the tables",
        ),
        _C.SQL_OUT_OF_MEMORY: ProblemKind(
            "The SQL needs more memory than one statement may have.",
            "make the lists and texts that it builds smaller, or raise GRAPH_PLATFORM_WAREHOUSE_MEMORY_BYTES",
        ),
        _C.SQL_TIMEOUT: ProblemKind(
            "The SQL takes longer than one statement may.",
            "make it cheaper, or raise GRAPH_PLATFORM_WAREHOUSE_STATEMENT_SECONDS",
        ),
        _C.SQL_CRASHED: ProblemKind(
            "The warehouse crashed at the SQL.", "write it in another way, with less nested in each other"
        ),
        _C.SQL_NOT_A_QUERY: ProblemKind("The SQL is not a query.", "Write one SELECT, WITH … SELECT, or VALUES."),
        _C.SQL_MULTIPLE_STATEMENTS: ProblemKind("More than one statement.", "Keep one; a WITH clause holds the steps."),
        _C.SQL_PARAMETER: ProblemKind("A placeholder, for which there are no values.", "Write the value itself."),
        _C.SQL_FUNCTION_NOT_ALLOWED: ProblemKind("A function that reaches outside the warehouse's tables."),
        _C.SQL_TABLE_NOT_ALLOWED: ProblemKind("A table name that is a file or an address."),
        _C.SQL_TOO_COMPLEX: ProblemKind("The SQL is too long or too deeply nested.", "Split it with a WITH clause."),
        _C.SQL_NOT_TRANSLATED: ProblemKind("DuckDB has no equal of what the SQL uses, or one that differs."),
        _C.SQL_TRANSLATION_UNTESTED: ProblemKind("DuckDB may not give what Trino gives for this."),
        _C.SQL_TRANSLATION_DIFFERS: ProblemKind("DuckDB gives something other than Trino in some cases."),
        _C.SQL_SEMANTICS: ProblemKind("The warehouse refuses the SQL."),
        _C.TABLE_NOT_FOUND: ProblemKind("A table that the warehouse does not have."),
        _C.COLUMN_NOT_FOUND: ProblemKind("A column that the tables of the query do not have."),
        _C.FUNCTION_NOT_FOUND: ProblemKind("A function that the warehouse does not have."),
        _C.PERMISSION_DENIED: ProblemKind("The warehouse's user may not read what the SQL reads."),
        _C.COLUMN_MISSING: ProblemKind("The SQL does not return a column that the mapping names."),
        _C.COLUMN_EXTRA: ProblemKind("The SQL returns a column that the mapping does not name."),
        _C.COLUMN_DUPLICATE: ProblemKind("The SQL returns two columns of one name."),
        _C.COLUMN_UNNAMED: ProblemKind("The SQL returns a column without a name."),
        _C.COLUMN_ORDER: ProblemKind("The SQL returns the right columns in another order."),
        _C.TYPE_UNKNOWN: ProblemKind("The mapping declares a type that the engines do not have."),
        _C.TYPE_UNSUPPORTED: ProblemKind("A column's type has no counterpart in the graph."),
        _C.TYPE_MISMATCH: ProblemKind("A column's type does not widen to the declared one without loss."),
        _C.TYPE_PRECISION: ProblemKind("Values lose precision on their way into the graph."),
        _C.KEY_TYPE_NOT_ALLOWED: ProblemKind("A primary key of a type other than STRING, INT64, DATE or UUID."),
        _C.KEY_TYPE_MISMATCH: ProblemKind("An edge's key has another type than its node's primary key."),
        _C.DEPENDENCY_BROKEN: ProblemKind("A check was skipped because something that it needs is broken."),
        # Each of these stops an engine's whole load. Errors where the data checks are enforced, warnings in a sample.
        _C.DATA_KEY_NULL: ProblemKind("Rows have no primary key, or edges lack an end."),
        _C.DATA_KEY_DUPLICATE: ProblemKind("Several rows of a node have one primary key."),
        _C.DATA_END_MISSING: ProblemKind("Edges begin or end at nodes that do not exist."),
        _C.DATA_NOT_CHECKED: ProblemKind("The data cannot be read as the SQL wants it."),
    }
)


def problem(
    code: ProblemCode,
    entity: str,
    message: str,
    *,
    field: str | None = None,
    hint: str | None = None,
    position: tuple[int, int] | None = None,
) -> Problem:
    """A problem of a known code; its hint is the code's usual fix unless a better one is given.

    What the user wrote is in it as far as a person would read it, and as text that can be stored everywhere.

    Args:
        position: line and column from 1, in the text that the problem is about.
    """
    hint = hint or PROBLEM_KINDS[code].fix
    return Problem(
        code=code,
        entity=shown(entity, MAX_NAME_SHOWN),
        field=None if field is None else shown(field, MAX_NAME_SHOWN),
        message=shown(message),
        hint=None if hint is None else shown(hint),
        position=Position(line=position[0], column=position[1]) if position else None,
    )


def shown(text: str, most: int = MAX_TEXT_SHOWN) -> str:
    """The beginning of a text, with U+FFFD for what no database or UTF-8 keeps."""
    return _UNKEPT.sub("\ufffd", text if len(text) <= most else f"{text[: most - 1]}…")
