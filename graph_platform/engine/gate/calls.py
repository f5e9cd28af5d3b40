"""What a statement may call: names before a bracket, table functions after CALL, and where a lambda may stand.

Not here: which functions there are (`functions.py`), and whether a CALL may be a clause (`clauses.py`). A name before a
bracket is looked at wherever it stands, so that nothing depends on whether the engine takes it for a function.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph_platform.engine.gate.functions import (
    FUNCTIONS,
    KEYWORDS_BEFORE_BRACKET,
    LAMBDA_FUNCTIONS,
    TABLE_FUNCTIONS,
    TYPES,
)
from graph_platform.engine.gate.lexer import Kind, Token
from graph_platform.errors import ErrorCode

_CALLABLE = FUNCTIONS | TABLE_FUNCTIONS | TYPES
_OPENING, _CLOSING = "([{", ")]}"


def check_calls(statement: Sequence[Token]) -> None:
    """Refuse a function that is on no list, and a lambda that its function would not survive.

    An engine that finds a lambda where it expects a value reads the type that a lambda does not have, and dies. So one
    is let through only where the functions that take one look for it: after a comma, directly inside their brackets.

    Raises:
        PlatformError: PERMISSION_DENIED for the function, QUERY_ERROR for the lambda, both with line and column.
    """
    opened: list[int] = []
    last_opened = 0
    for index, token in enumerate(statement):
        if token.is_sign(_OPENING):
            _check_name(statement, index)
            opened.append(index)
        elif token.is_sign(_CLOSING):
            last_opened = opened.pop()
        elif _is_lambda_arrow(statement, index):
            variables = last_opened if statement[index - 1].text == ")" else index - 1
            called = _name(statement, opened[-1]) if opened else ""
            if called not in LAMBDA_FUNCTIONS or not statement[variables - 1].is_sign(","):
                raise token.error(
                    ErrorCode.QUERY_ERROR,
                    "a lambda, `x -> …`, may not stand here",
                    f"only after the first argument of {', '.join(sorted(LAMBDA_FUNCTIONS)).lower()}; "
                    "an edge is written (a)-[e]->(b) or (a)-->(b)",
                )


def check_call(statement: Sequence[Token], index: int) -> None:
    """Refuse a CALL, at `index`, of anything but a listed table function: of a setting, too.

    Raises:
        PlatformError: PERMISSION_DENIED.
    """
    token = statement[index]
    name = statement[index + 1] if index + 1 < len(statement) else None
    bracket = statement[index + 2] if index + 2 < len(statement) else None
    if name is None or bracket is None or not bracket.is_sign("(") or name.word not in TABLE_FUNCTIONS:
        raise token.error(
            ErrorCode.PERMISSION_DENIED,
            f"CALL {name.text if name else ''} is not allowed here",
            f"these may be called: {', '.join(sorted(TABLE_FUNCTIONS)).lower()}; "
            f"if CALL is a name, quote it: `{token.text}`",
        )


def _name(statement: Sequence[Token], bracket: int) -> str:
    """The name before a bracket in capitals, "" if there is none."""
    token = statement[bracket - 1] if bracket and statement[bracket].text == "(" else None
    return token.text.strip("`").upper() if token and token.kind in (Kind.WORD, Kind.QUOTED) else ""


def _check_name(statement: Sequence[Token], bracket: int) -> None:
    name = _name(statement, bracket)
    if not name or name in _CALLABLE:
        return
    token = statement[bracket - 1]
    if token.word not in KEYWORDS_BEFORE_BRACKET:
        raise token.error(
            ErrorCode.PERMISSION_DENIED, f"the function {token.text} is not among those that may be called here"
        )


def _is_lambda_arrow(statement: Sequence[Token], index: int) -> bool:
    """Whether the minus here begins the arrow of a lambda. In a pattern's arrow `]` or another minus is before it."""
    if not 0 < index < len(statement) - 1 or not statement[index].is_sign("-") or not statement[index + 1].is_sign(">"):
        return False
    return not statement[index - 1].is_sign("]-")
