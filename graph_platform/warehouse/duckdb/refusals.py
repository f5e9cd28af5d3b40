"""What DuckDB's errors mean: which table, column or function is missing, where, and what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

import duckdb
from sqlglot import exp

from graph_platform.errors import PlatformError
from graph_platform.mapping.problems import ProblemCode
from graph_platform.mapping.report import Problem
from graph_platform.mapping.sql import check_query, locate
from graph_platform.warehouse.duckdb.file import plain, unreachable
from graph_platform.warehouse.protocol import Refusal

_NOUNS = {
    ProblemCode.TABLE_NOT_FOUND: "the table",
    ProblemCode.COLUMN_NOT_FOUND: "the column",
    ProblemCode.FUNCTION_NOT_FOUND: "the function",
}
_NO_SUCH_ALIAS = re.compile(r'Referenced table "(.+?)" not found')
_NAMES_IN_ERRORS: Sequence[tuple[re.Pattern[str], ProblemCode]] = (
    (re.compile(r'Table with name "?(.+?)"? does not exist'), ProblemCode.TABLE_NOT_FOUND),
    (_NO_SUCH_ALIAS, ProblemCode.COLUMN_NOT_FOUND),
    (re.compile(r'Referenced column "(.+?)" not found'), ProblemCode.COLUMN_NOT_FOUND),
    (re.compile(r'(?:Table|Values list) "([^"]+)" does not have a column named "(.+?)"'), ProblemCode.COLUMN_NOT_FOUND),
    (re.compile(r"Function with name \"?([\w.]+)\"? does not exist"), ProblemCode.FUNCTION_NOT_FOUND),
)


def refusal(error: duckdb.Error, sql: str, path: Path, tables: Callable[[], Sequence[str]]) -> Refusal | PlatformError:
    """What an error of DuckDB's means for a query of the user's, or that the file itself is not to be used.

    Args:
        sql: the user's text, in which the place is looked for: DuckDB's own is that of the translated text.
        tables: the names that a table which was not found may have meant.
    """
    text = str(error)
    if isinstance(error, (duckdb.IOException, duckdb.FatalException, duckdb.ConnectionException)):
        return unreachable(path, error)
    for pattern, code in _NAMES_IN_ERRORS:
        match = pattern.search(text)
        if match is None:
            continue
        subject = ".".join(part.strip('"') for part in match.groups() if part)
        if pattern is _NO_SUCH_ALIAS:
            subject = _column_of(subject, sql)
        candidates = _candidates(code, subject, text, tables)
        line, column = locate(sql, subject) or (None, None)
        message = f"{_NOUNS[code]} {subject} does not exist"
        return Refusal(code, message, line, column, subject, candidates)
    message = plain(text)
    named = re.match(r'(?:column|Ambiguous reference to column name) "([^"]+)"', message)
    line, column = (locate(sql, named[1]) if named else None) or (None, None)
    return Refusal(ProblemCode.SQL_SEMANTICS, message, line, column)


def _candidates(code: ProblemCode, subject: str, text: str, tables: Callable[[], Sequence[str]]) -> tuple[str, ...]:
    known: Sequence[str] = ()
    if code is ProblemCode.TABLE_NOT_FOUND:
        known = tables()
    elif bindings := re.search(r"Candidate bindings: (.*)|Did you mean (.*)\?", text):
        # DuckDB names what is least unlike, however unlike that is.
        known = re.findall(r'"((?:[^"]|"")+)"', bindings[0])
        subject = subject.rpartition(".")[2]
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(subject.lower(), list(lowered), n=3, cutoff=0.5)
    return tuple(lowered[name] for name in close)


def _column_of(alias: str, sql: str) -> str:
    """The first column that a query takes from an alias, as it is written: Trino misses the column, not the alias."""
    tree = check_query(sql).tree
    columns = tree.find_all(exp.Column) if tree is not None else ()
    return next((f"{alias}.{column.name}" for column in columns if column.table.lower() == alias.lower()), alias)


def as_refusal(problems: Sequence[Problem]) -> Refusal:
    """The first problem that a translation was refused for."""
    first = problems[0]
    at = first.position
    message = first.message + (f" ({first.hint})" if first.hint else "")
    return Refusal(first.code, message, at.line if at else None, at.column if at else None)
