"""What DuckDB's errors mean: which table, column or function is missing, where, and what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sqlglot import exp

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.checks.problems import PROBLEM_KINDS, ProblemCode
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.sql.functions import UnknownFunction
from graph_platform.mapping.sql.gate import check_query, locate
from graph_platform.processes.ending import Cause, Ending
from graph_platform.relational import Refusal
from graph_platform.warehouse.duckdb.text import plain, unreachable

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


def refusal(
    refused: Mapping[str, Any], sql: str, path: Path, tables: Callable[[], Sequence[str]]
) -> Refusal | PlatformError:
    """What an error of DuckDB's means for a query of the user's, or that the file itself is not to be used.

    Args:
        refused: its `text`, and whether it makes the file `unusable`.
        sql: the user's text, in which the place is looked for: DuckDB's own is that of the translated text.
        tables: the names that a table which was not found may have meant.
    """
    text = str(refused["text"])
    if refused["unusable"]:
        return unreachable(path, text)
    for pattern, code in _NAMES_IN_ERRORS:
        match = pattern.search(text)
        if match is None:
            continue
        subject = ".".join(part.strip('"') for part in match.groups() if part)
        if pattern is _NO_SUCH_ALIAS:
            subject = _column_of(subject, sql)
        return _not_found(code, subject, sql, _candidates(code, subject, text, tables))
    if "Max expression depth limit" in text:
        code = ProblemCode.SQL_TOO_COMPLEX
        return Refusal(code, "the SQL is nested too deeply for DuckDB", hint=_fix(code))
    message = plain(text)
    named = re.match(r'(?:column|Ambiguous reference to column name) "([^"]+)"', message)
    line, column = (locate(sql, named[1]) if named else None) or (None, None)
    return Refusal(ProblemCode.SQL_SEMANTICS, message, line, column)


def no_such_table(name: str, sql: str, tables: Callable[[], Sequence[str]]) -> Refusal:
    """For what is neither a table nor a view of the file, as the SQL names it."""
    code = ProblemCode.TABLE_NOT_FOUND
    return _not_found(code, name, sql, _candidates(code, name, "", tables))


def no_such_column(name: str, sql: str) -> Refusal:
    """For a name that DuckDB takes for something of its own where no column has it."""
    return _not_found(ProblemCode.COLUMN_NOT_FOUND, name, sql, ())


def no_such_function(unknown: UnknownFunction) -> Refusal:
    """For what is no function of Trino's."""
    code = ProblemCode.FUNCTION_NOT_FOUND
    message = f"{_NOUNS[code]} {unknown.name} does not exist"
    return Refusal(code, message, *unknown.position, unknown.name, unknown.candidates)


def _not_found(code: ProblemCode, subject: str, sql: str, candidates: tuple[str, ...]) -> Refusal:
    line, column = locate(sql, subject) or (None, None)
    return Refusal(code, f"{_NOUNS[code]} {subject} does not exist", line, column, subject, candidates)


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


def stopped_at(ending: Ending, memory_bytes: int, limit_seconds: float) -> Refusal | PlatformError:
    """What the end of the process that ran a statement means for the statement.

    Args:
        memory_bytes: what the process could have.
        limit_seconds: what the statement had.
    """
    if ending.cause is Cause.KILLED:
        message = "the process that ran it was killed from outside, and once more when it was run again"
        return PlatformError(ErrorCode.STARBURST_ERROR, message, "see whether the machine has enough memory")
    if ending.cause is Cause.MEMORY:
        message = f"it needs more memory than the {memory_bytes / 1e6:,.0f} MB that a statement may have"
        return Refusal(ProblemCode.SQL_OUT_OF_MEMORY, message, hint=_fix(ProblemCode.SQL_OUT_OF_MEMORY))
    if ending.cause is Cause.TIME:
        message = f"it did not end within its limit of {limit_seconds:g} s"
        return Refusal(ProblemCode.SQL_TIMEOUT, message, hint=_fix(ProblemCode.SQL_TIMEOUT))
    message = f"DuckDB crashed at it ({ending.how})"
    return Refusal(ProblemCode.SQL_CRASHED, message, hint=_fix(ProblemCode.SQL_CRASHED))


def _fix(code: ProblemCode) -> str | None:
    return PROBLEM_KINDS[code].fix


def as_refusal(problems: Sequence[Problem]) -> Refusal:
    """The first problem that a translation was refused for."""
    first = problems[0]
    at = first.position
    message = first.message + (f" ({first.hint})" if first.hint else "")
    return Refusal(first.code, message, at.line if at else None, at.column if at else None)
