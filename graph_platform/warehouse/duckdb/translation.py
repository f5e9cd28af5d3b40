"""Trino's SQL on DuckDB: what is refused, and what is not proved to give Trino's value.

What is known of each function, operator and cast is in `signatures`, which tests hold against a real Trino.
Whatever has no row there still runs where it can, with a warning that names it: never is a different value passed on in
silence. What is no function of Trino's does not exist here either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp
from sqlglot.errors import SqlglotError

from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.sql.functions import UnknownFunction, unknown_functions
from graph_platform.mapping.sql.gate import CheckedQuery, Review, function_name, line_and_column, locate
from graph_platform.warehouse.duckdb.aliases import aliases_as_columns
from graph_platform.warehouse.duckdb.dropped import dropped
from graph_platform.warehouse.duckdb.rewrites import NotRewritten
from graph_platform.warehouse.duckdb.signatures.proof import Found, Lookup, Proof
from graph_platform.warehouse.duckdb.signatures.written import written_tree

# DuckDB has the name and means something else, or has nothing that could stand in.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "json_value": "DuckDB reads another path language; use json_extract_scalar",
        "json_query": "DuckDB reads another path language; use json_extract",
        "jsonvalue": "DuckDB reads another path language; use json_extract_scalar",
        "jsonexists": "DuckDB reads another path language; use json_extract(…) IS NOT NULL",
        "jsonquery": "DuckDB reads another path language; use json_extract",
        "json_exists": "DuckDB reads another path language; use json_extract(…) IS NOT NULL",
        "parsedatetime": "DuckDB reads another pattern; use date_parse",
        "format_datetime": "DuckDB reads another pattern; use date_format",
        "tochar": "DuckDB reads another pattern; use date_format",
    }
)

_WRITTEN: Mapping[type[exp.Expr], str] = MappingProxyType(
    {
        exp.ArraySlice: "slice",
        exp.Bracket: "element_at",
        exp.Rand: "random",
        exp.StrPosition: "strpos",
        exp.UnixToTime: "from_unixtime",
    }
)
"""How Trino's SQL writes what sqlglot calls otherwise."""


_CODES = {
    (True, False): ProblemCode.SQL_SEMANTICS,
    (False, False): ProblemCode.SQL_TRANSLATION_UNTESTED,
    (False, True): ProblemCode.SQL_TRANSLATION_DIFFERS,
}


@dataclass(frozen=True, kw_only=True)
class Translation(Review):
    """DuckDB's text of a query, or None with the errors; warnings come either way."""

    sql: str | None


def to_duckdb(query: CheckedQuery, entity: str = "query", columns: Lookup | None = None) -> Translation:
    """Translate a query that passed the gate.

    Args:
        entity: the definition that a problem names.
        columns: the names and types of a table's columns, None for a table that is not there. Without it no column
            has a type, and what is done with one is not proved.
    """
    if query.tree is None:
        return Translation(sql=None, errors=query.problems)
    try:
        return _translated(query, entity, columns)
    except RecursionError:
        code, message = ProblemCode.SQL_TOO_COMPLEX, "the SQL is nested too deeply to be translated"
    except Exception as error:  # noqa: BLE001  one definition's problem, which may not take the reports of the others
        code = ProblemCode.SQL_NOT_TRANSLATED
        message = f"the SQL cannot be translated for DuckDB: {type(error).__name__}: {error}"
    return Translation(sql=None, errors=(problem(code, entity, message, field="sql"),))


def _translated(query: CheckedQuery, entity: str, columns: Lookup | None) -> Translation:
    assert query.tree is not None  # noqa: S101
    refused = tuple(_refused(query, entity))
    told = {found.position for found in refused}
    unknown = {each.name.lower(): each for each in unknown_functions(query)}
    missing = (_unknown(each, entity) for each in unknown.values())
    errors = (*refused, *(found for found in missing if found.position not in told))
    proof = Proof(columns)
    tree: exp.Expr | None = None
    try:
        tree = proof.prove(written_tree(query.sql))
    except NotRewritten as error:
        errors = errors or (_not_rewritten(error.node, query, entity),)
    doubts = [found for found in proof.found if not found.refused and found.word not in unknown]
    warnings = (*_told(doubts, query, entity), *_aliases(query, entity))
    errors = errors or tuple(_told([found for found in proof.found if found.refused], query, entity))
    if errors or tree is None:
        return Translation(sql=None, errors=errors, warnings=warnings)
    try:
        text = tree.sql(dialect="duckdb", comments=False)
    except SqlglotError as error:
        message = f"the SQL cannot be translated for DuckDB: {str(error).splitlines()[0]}"
        errors = (problem(ProblemCode.SQL_NOT_TRANSLATED, entity, message, field="sql"),)
        return Translation(sql=None, errors=errors, warnings=warnings)
    lost = tuple(_dropped(query, text, proof.reworded, entity))
    return Translation(sql=None if lost else text, errors=lost, warnings=warnings)


def _told(found: Iterable[Found], query: CheckedQuery, entity: str) -> Iterator[Problem]:
    """What a proof found, each said once."""
    for each in {each.message: each for each in reversed(list(found))}.values():
        code = _CODES[each.refused, each.differs]
        at = locate(query.sql, each.word) if each.start is None else line_and_column(query.sql, each.start)
        yield problem(code, entity, each.message, field="sql", hint=each.hint, position=at)


def _dropped(query: CheckedQuery, text: str, reworded: Mapping[str, int], entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    lost = {id(node): (node, word) for node, word in dropped(query.tree, query.sql, text, reworded)}
    for node, word in lost.values():
        name = _WRITTEN.get(type(node)) or function_name(node)
        message = f"{name} cannot be used on DuckDB with these arguments: there is no place for {word}"
        position = locate(query.sql, name)
        yield problem(ProblemCode.SQL_NOT_TRANSLATED, entity, message, field="sql", position=position)


def _not_rewritten(node: exp.Expr, query: CheckedQuery, entity: str) -> Problem:
    name = _WRITTEN.get(type(node)) or function_name(node)
    return problem(
        ProblemCode.SQL_NOT_TRANSLATED,
        entity,
        f"{name} cannot be used on DuckDB with these arguments: one is missing, or of a kind that is not known here",
        field="sql",
        hint=f"give {name} all of its arguments, as Trino wants them",
        position=locate(query.sql, name),
    )


def _names(node: exp.Expr) -> tuple[str, str]:
    name = function_name(node)
    return (name, name) if isinstance(node, exp.Anonymous) else (node.key, name)


def _refused(query: CheckedQuery, entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    for node in query.tree.walk():
        key, name = _names(node)
        reason = REFUSED.get(key) or REFUSED.get(name)
        if isinstance(node, exp.JSONExtract) and node.args.get("json_query"):
            name, reason = "json_query", REFUSED["json_query"]
        if isinstance(node, exp.SHA2Digest) and node.args["length"].name != "256":
            name, reason = f"sha{node.args['length'].name}", "DuckDB has sha256 only"
        if (
            isinstance(node, exp.Fetch)
            and (options := node.args.get("limit_options"))
            and options.args.get("with_ties")
        ):
            name, reason = "fetch", "DuckDB has no WITH TIES; use rank() in a subquery"
        if isinstance(node, exp.Replace) and node.expression.is_string and not node.expression.name:
            reason = "with nothing to replace, Trino writes the replacement around each letter, and DuckDB does not"
        if isinstance(node, exp.RegexpReplace):
            replacement = node.args.get("replacement")
            if replacement is not None and not replacement.is_string:
                reason = "the replacement must be written out, since DuckDB marks groups in another way"
            if isinstance(node.parent, exp.Lambda) or isinstance(replacement, exp.Lambda):
                reason = "DuckDB takes no function as the replacement"
        if reason:
            yield problem(
                ProblemCode.SQL_NOT_TRANSLATED,
                entity,
                f"{name} cannot be used on DuckDB: {reason}",
                field="sql",
                position=locate(query.sql, name),
            )


def _unknown(unknown: UnknownFunction, entity: str) -> Problem:
    message = f"the function {unknown.name} does not exist"
    hint = f"did you mean {' or '.join(unknown.candidates)}?" if unknown.candidates else None
    return problem(ProblemCode.FUNCTION_NOT_FOUND, entity, message, field="sql", hint=hint, position=unknown.position)


def _aliases(query: CheckedQuery, entity: str) -> Iterator[Problem]:
    assert query.tree is not None  # noqa: S101
    for name in dict.fromkeys(aliases_as_columns(query.tree)):
        message = f"{name} is the alias of an item: DuckDB takes it for a column here, and Trino refuses it"
        hint = "repeat the expression, unless a table has a column of that name"
        position = locate(query.sql, name)
        code = ProblemCode.SQL_TRANSLATION_DIFFERS
        yield problem(code, entity, message, field="sql", hint=hint, position=position)
