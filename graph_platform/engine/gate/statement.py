"""The first line: whether a reader or a writer may send a statement, decided from the text alone.

It must come before `EXPLAIN`, because binding a statement already opens the files that it names, and a database opened
read-only still reads and writes files (`LOAD FROM`, `COPY … TO`, `EXPORT DATABASE`, `INSTALL`). Here is the order of
the checks; what each of them knows is in its own module. The second line is `operators.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graph_platform.engine.gate.budget import check_budget
from graph_platform.engine.gate.calls import check_call, check_calls
from graph_platform.engine.gate.clauses import (
    CLAUSES,
    STARTS,
    WRITING_CLAUSES,
    Access,
    begins_pattern,
    may_begin_clause,
)
from graph_platform.engine.gate.crashes import check_crashes, parameters_with_types
from graph_platform.engine.gate.definitions import check_definition
from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token, tokens
from graph_platform.errors import ErrorCode, PlatformError

_REWRITTEN = re.compile(r"to_json\(\s*\$", re.IGNORECASE)
"""LadybugDB's Python binding puts the value of the parameter in this place, in strings and quoted names too: a value
that holds a quote would end the string, and what follows would be read as a part of the statement."""

_KNOWN_STARTS = CLAUSES | words(
    "ALTER DROP USE BEGIN COMMIT ROLLBACK COMMENT FORCE VACUUM SHOW COPY EXPORT IMPORT INSTALL UNINSTALL ATTACH UPDATE "
    "CHECKPOINT ANALYZE EXPLAIN PROFILE"
)
"""Words that a statement may begin with elsewhere: whoever sends one is told that it is not allowed, not that it is no
Cypher."""


@dataclass(frozen=True)
class Statement:
    """A statement that may be run. `text` is what to send: the tokens as written, comments taken out.

    `subject` is the same without `EXPLAIN` or `PROFILE` in front; `writes` tells whether it has a writing clause;
    `parameters` are the names after `$`. The engines take one that nobody gave for NULL, so the caller compares.
    `typed` are those among them that may not be null, which would crash an engine where they stand.
    """

    text: str
    subject: str
    writes: bool
    parameters: frozenset[str]
    typed: frozenset[str]


def check_statement(text: str, access: Access, engine: str | None = None) -> Statement:
    """Decide whether a reader or a writer may send this text.

    Args:
        engine: the name of the one that is to run it: what crashes that one is refused, too.

    Raises:
        PlatformError: PERMISSION_DENIED for a clause, function, setting or definition that is not allowed; QUERY_ERROR
            for text that is empty, several statements, not Cypher at all, what crashes an engine, or too much for a
            planner.
    """
    found = list(tokens(text))
    if found and found[-1].text == ";":
        found.pop()
    if not found:
        raise PlatformError(ErrorCode.QUERY_ERROR, "the statement is empty")
    for token in found:
        if token.is_sign(";"):
            raise token.error(ErrorCode.QUERY_ERROR, "only one statement at a time", "send them one after another")
    subject = found[_prefix_length(found) :]
    if not subject:
        raise found[-1].error(ErrorCode.QUERY_ERROR, "the statement is empty")
    _check_start(subject[0], access)
    writes = subject[0].word in ("ALTER", "DROP")
    if _is_definition(subject):
        check_definition(subject)
        writes = True
    else:
        for index, token in enumerate(subject):
            if token.word in CLAUSES and may_begin_clause(subject, index):
                _check_clause(subject, index, access)
                writes |= token.word in WRITING_CLAUSES
        check_calls(subject)
    check_budget(subject)
    if engine:
        check_crashes(subject, engine)
    statement = Statement(
        _text(found),
        _text(subject),
        writes,
        frozenset(token.text[1:] for token in subject if token.kind is Kind.PARAMETER),
        parameters_with_types(subject),
    )
    if _REWRITTEN.search(statement.text):
        raise PlatformError(
            ErrorCode.QUERY_ERROR, "`to_json($…)` is not allowed, not even in a string", "send the text as a parameter"
        )
    return statement


def _prefix_length(found: Sequence[Token]) -> int:
    if found[0].word not in ("EXPLAIN", "PROFILE"):
        return 0
    return 2 if found[0].word == "EXPLAIN" and len(found) > 1 and found[1].word == "LOGICAL" else 1


def _check_start(token: Token, access: Access) -> None:
    if token.word in STARTS[access]:
        return
    if token.word in STARTS["write"]:
        raise token.error(ErrorCode.PERMISSION_DENIED, f"{token.word} is not allowed here: only reading is")
    raise token.error(
        ErrorCode.PERMISSION_DENIED if token.word in _KNOWN_STARTS else ErrorCode.QUERY_ERROR,
        f"a statement may not begin with {token.text}",
        f"it begins with one of {', '.join(sorted(STARTS[access]))}, after EXPLAIN or PROFILE if wanted",
    )


def _is_definition(subject: Sequence[Token]) -> bool:
    return subject[0].word in ("ALTER", "DROP") or (subject[0].word == "CREATE" and not begins_pattern(subject, 1))


def _check_clause(subject: Sequence[Token], index: int, access: Access) -> None:
    token = subject[index]
    if token.word == "CALL":
        check_call(subject, index)
    elif token.word not in WRITING_CLAUSES or access == "read":
        reason = ": only reading is" if token.word in WRITING_CLAUSES else ""
        raise token.error(
            ErrorCode.PERMISSION_DENIED,
            f"{token.word} is not allowed here{reason}",
            f"if it is a name, quote it: `{token.text}`",
        )


def _text(found: Sequence[Token]) -> str:
    """The tokens as written, apart where they were apart: the engine's result columns are named after the text."""
    pieces: list[str] = []
    for index, token in enumerate(found):
        if index:
            before = found[index - 1]
            adjoining = before.line == token.line and before.column + len(before.text) == token.column
            pieces.append("" if adjoining else " ")
        pieces.append(token.text)
    return "".join(pieces)
