"""What Trino's errors mean for a mapping: its names for them as ours, the place in the user's own text, near names.

The lookups for near names are questions of their own to the server. They cost something only when there is an error,
and when one fails the error is told without them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from sqlglot import exp

from graph_platform.errors import PlatformError
from graph_platform.mapping.checks.problems import ProblemCode
from graph_platform.mapping.sql.gate import check_query, identifier, line_and_column, locate
from graph_platform.relational import Refusal
from graph_platform.warehouse.trino.statement import TrinoFailure

# The wrapper has one line before the user's SQL and its closing parenthesis on the line after.
BEFORE, AFTER = "SELECT * FROM (\n", "\n) LIMIT 0"
_LINES_BEFORE = 1

KINDS: Mapping[str, ProblemCode] = MappingProxyType(
    {
        "SYNTAX_ERROR": ProblemCode.SQL_SYNTAX,
        "TABLE_NOT_FOUND": ProblemCode.TABLE_NOT_FOUND,
        "SCHEMA_NOT_FOUND": ProblemCode.TABLE_NOT_FOUND,
        "CATALOG_NOT_FOUND": ProblemCode.TABLE_NOT_FOUND,
        "MISSING_CATALOG_NAME": ProblemCode.TABLE_NOT_FOUND,
        "MISSING_SCHEMA_NAME": ProblemCode.TABLE_NOT_FOUND,
        "COLUMN_NOT_FOUND": ProblemCode.COLUMN_NOT_FOUND,
        "FUNCTION_NOT_FOUND": ProblemCode.FUNCTION_NOT_FOUND,
        "PERMISSION_DENIED": ProblemCode.PERMISSION_DENIED,
        "QUERY_TEXT_TOO_LARGE": ProblemCode.SQL_TOO_COMPLEX,
        "QUERY_HAS_TOO_MANY_STAGES": ProblemCode.SQL_TOO_COMPLEX,
    }
)
# What a denial is about, and the right that is missing.
_DENIALS = (
    (re.compile(r"select from columns .* in table or view (\S+)"), "SELECT on {0}"),
    (re.compile(r"select from (?:table|view) (\S+)"), "SELECT on {0}"),
    (re.compile(r"access catalog (\S+)"), "access to the catalog {0}"),
    (re.compile(r"execute (?:table )?function (\S+)"), "EXECUTE on the function {0}"),
)
_NEAR = 3
_CUTOFF = 0.5

Rows = Callable[[str], list[list[object]]]
Place = tuple[int | None, int | None]


@dataclass(frozen=True)
class Names:
    """Who asks, where unqualified names are looked up, and the means to ask the server."""

    user: str
    catalog: str | None
    schema: str | None
    rows: Rows


def refusal(failure: TrinoFailure, sql: str, names: Names) -> Refusal:
    """The failure of `BEFORE + sql + AFTER` in terms of `sql` alone.

    Line and column are exact, since the user's text stands unchanged on lines of its own; what lies outside it has
    none.
    """
    line = None if failure.line is None else failure.line - _LINES_BEFORE
    inside = line is not None and 1 <= line <= sql.count("\n") + 1
    at: Place = (line, failure.column) if inside else (None, None)
    kind = KINDS.get(failure.name, ProblemCode.SQL_SEMANTICS)
    if kind is ProblemCode.SQL_SYNTAX:
        return Refusal(kind, _syntax(failure, inside), *at)
    if kind is ProblemCode.FUNCTION_NOT_FOUND:
        return _function(failure, at, names)
    tree = check_query(sql).tree
    if kind is ProblemCode.PERMISSION_DENIED:
        return _denied(failure, sql, tree, names)
    if tree is not None and kind is ProblemCode.TABLE_NOT_FOUND:
        return _table(failure, at, _table_at(sql, tree, at), names)
    if tree is not None and kind is ProblemCode.COLUMN_NOT_FOUND:
        return _column(failure, at, tree, names)
    return Refusal(kind, failure.message or failure.name, *at)


def _syntax(failure: TrinoFailure, inside: bool) -> str:
    """Without the parenthesis that Trino expects, or stumbles over, only because we wrote one."""
    found, _, expected = failure.message.partition(". Expecting: ")
    wanted = [word for word in expected.split(", ") if word and word != "')'"]
    # Two dozen tokens that could have followed help nobody.
    hope = f". Expecting: {', '.join(wanted)}" if 0 < len(wanted) <= 8 else ""
    # What has no place at all is no token of ours: too many dots in a name, for example.
    return f"the SQL cannot be parsed: {found if inside or failure.line is None else 'it ends too early'}{hope}"


def _function(failure: TrinoFailure, at: Place, names: Names) -> Refusal:
    match = re.search(r"Function '?(.+?)'? not registered", failure.message)
    if match is None:
        # The name is right and the arguments are not.
        return Refusal(ProblemCode.SQL_SEMANTICS, failure.message, *at)
    subject = match[1]
    known = {str(row[0]) for row in _asked(names, "SHOW FUNCTIONS")}
    message = f"the function {subject} does not exist"
    return Refusal(ProblemCode.FUNCTION_NOT_FOUND, message, *at, subject, _near(subject, known))


def _denied(failure: TrinoFailure, sql: str, tree: exp.Expr | None, names: Names) -> Refusal:
    """Trino gives a denial no place; the table that it is about has one in the user's text."""
    said = failure.message.removeprefix("Access Denied: ")
    found = next(((match[1], right) for known, right in _DENIALS if (match := known.search(said))), None)
    subject, right = found or (None, "this right")
    tables = tree.find_all(exp.Table) if tree is not None else ()
    written = next((_written_name(table) for table in tables if _full_name(table, names) == subject), None)
    line, column = (locate(sql, written) if written else None) or (None, None)
    message = f"the warehouse does not let the user {names.user} do this: {said}"
    hint = f"ask who runs the warehouse for {right.format(subject)}, for the user {names.user}"
    return Refusal(ProblemCode.PERMISSION_DENIED, message, line, column, subject, hint=hint)


def _written_name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts)


def _full_name(table: exp.Table, names: Names) -> str:
    return ".".join((table.catalog or names.catalog or "", table.db or names.schema or "", table.name)).lower()


def _table_at(sql: str, tree: exp.Expr, at: Place) -> exp.Table | None:
    """The table that is written at this place of the SQL, or next after it: `TABLE orders` is told at its first word.

    Names would not do: the same one may stand in several schemas, as an alias, or as a WITH clause's.
    """
    line, column = at
    if line is None or column is None:
        return None
    places = {
        line_and_column(sql, table.parts[0].meta["start"]): table
        for table in tree.find_all(exp.Table)
        if "start" in table.parts[0].meta
    }
    return places.get(min((place for place in places if place >= (line, column)), default=(0, 0)))


def _table(failure: TrinoFailure, at: Place, table: exp.Table | None, names: Names) -> Refusal:
    code = ProblemCode.TABLE_NOT_FOUND
    if table is None:
        return Refusal(code, failure.message, *at)
    subject = _written_name(table)
    catalog = table.catalog or names.catalog
    schema = table.db or names.schema
    message = f"the table {subject} does not exist"
    if failure.name in ("MISSING_CATALOG_NAME", "MISSING_SCHEMA_NAME") or not catalog or not schema:
        message = f"{message}, since the warehouse URL names no {'schema' if catalog else 'catalog'}"
        return Refusal(code, message, *at, subject)
    if failure.name == "CATALOG_NOT_FOUND":
        found = _near(catalog, (str(row[0]) for row in _asked(names, "SHOW CATALOGS")))
        candidates = [(name, schema, table.name) for name in found]
        return Refusal(code, f"{message}: {failure.message}", *at, subject, _as_sql(candidates))
    if failure.name == "SCHEMA_NOT_FOUND":
        found = _near(schema, (str(row[0]) for row in _asked(names, f"SHOW SCHEMAS FROM {quoted(catalog)}")))
        candidates = [(table.catalog, name, table.name) for name in found]
        return Refusal(code, f"{message}: {failure.message}", *at, subject, _as_sql(candidates))
    found = _near(table.name, (str(row[0]) for row in _asked(names, tables_of(catalog, schema))))
    return Refusal(code, message, *at, subject, _as_sql((table.catalog, table.db, name) for name in found))


def _as_sql(candidates: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """Each of (catalog, schema, table) as a query names it; empty parts are left out, as they were by the user."""
    return tuple(".".join(identifier(part) for part in parts if part) for parts in candidates)


def _column(failure: TrinoFailure, at: Place, tree: exp.Expr, names: Names) -> Refusal:
    code = ProblemCode.COLUMN_NOT_FOUND
    match = re.search(r"Column '(.+)' cannot be resolved", failure.message)
    if match is None:
        return Refusal(code, failure.message, *at)
    subject = match[1]
    qualifier, _, name = subject.rpartition(".")
    ours = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    tables = [t for t in tree.find_all(exp.Table) if t.db or t.name.lower() not in ours]
    of_qualifier = [t for t in tables if qualifier and t.alias_or_name.lower() == qualifier.rpartition(".")[2].lower()]
    known = {str(row[0]) for row in _asked(names, _columns_of(of_qualifier or tables, names))}
    if not of_qualifier:
        known |= {select.alias for select in tree.find_all(exp.Alias)}
    return Refusal(code, f"the column {subject} does not exist", *at, subject, _near(name, known - {name}))


def _columns_of(tables: Iterable[exp.Table], names: Names) -> str:
    """One question for the columns of all tables of a query."""
    by_catalog: dict[str, list[str]] = {}
    for table in tables:
        catalog, schema = table.catalog or names.catalog, table.db or names.schema
        if catalog and schema:
            pair = f"(table_schema = {literal(schema.lower())} AND table_name = {literal(table.name.lower())})"
            by_catalog.setdefault(catalog, []).append(pair)
    return "\nUNION\n".join(
        f"SELECT column_name FROM {quoted(catalog)}.information_schema.columns WHERE {' OR '.join(pairs)}"  # noqa: S608
        for catalog, pairs in by_catalog.items()
    )


def tables_of(catalog: str, schema: str) -> str:
    """The question for the tables and views of a schema, in the order of their names."""
    where = f"table_schema = {literal(schema.lower())}"
    return f"SELECT table_name FROM {quoted(catalog)}.information_schema.tables WHERE {where} ORDER BY 1"  # noqa: S608


def _asked(names: Names, sql: str) -> list[list[object]]:
    try:
        return names.rows(sql) if sql else []
    except (PlatformError, TrinoFailure):
        return []


def _near(name: str, known: Iterable[str]) -> tuple[str, ...]:
    lowered = {candidate.lower(): candidate for candidate in sorted(known) if candidate}
    close = get_close_matches(name.lower(), list(lowered), n=_NEAR, cutoff=_CUTOFF)
    return tuple(lowered[found] for found in close)


def quoted(name: str) -> str:
    """A name as SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
