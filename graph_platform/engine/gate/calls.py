"""What a statement may call: names before a bracket, table functions after CALL, and where a lambda may stand.

Not here: which functions there are (`functions.py`), and whether a CALL may be a clause (`clauses.py`). A name before a
bracket is looked at wherever it stands, so that nothing depends on whether the engine takes it for a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

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
            first = last_opened if statement[index - 1].is_sign(")") else index - 1
            _check_lambda(statement, first, index, _name(statement, opened[-1]) if opened else "")


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
    return _plain(token) if token and token.kind in (Kind.WORD, Kind.QUOTED) else ""


def _check_name(statement: Sequence[Token], bracket: int) -> None:
    name = _name(statement, bracket)
    if not name or name in _CALLABLE:
        return
    token = statement[bracket - 1]
    if token.word not in KEYWORDS_BEFORE_BRACKET:
        raise token.error(
            ErrorCode.PERMISSION_DENIED, f"the function {token.text} is not among those that may be called here"
        )


def _check_lambda(statement: Sequence[Token], first: int, arrow: int, called: str) -> None:
    """Refuse the lambda whose variables begin at `first`, directly inside the brackets of the function `called`."""
    variables = [one for one in statement[first:arrow] if one.kind in (Kind.WORD, Kind.QUOTED)]
    if len(variables) != LAMBDA_FUNCTIONS.get(called) or not statement[first - 1].is_sign(","):
        takers = ", ".join(sorted(name for name in LAMBDA_FUNCTIONS if name.startswith("LIST"))).lower()
        raise statement[arrow].error(
            ErrorCode.QUERY_ERROR,
            "a lambda, `x -> …`, may not stand here, or not with so many variables",
            f"only after the first argument of {takers}, with one variable, list_reduce with two: `(x, y) -> x + y`; "
            "an edge is written (a)-[e]->(b) or (a)-->(b)",
        )
    if called == "LIST_REDUCE":
        _check_reduction(statement, arrow + 2, {_plain(one) for one in variables})


def _check_reduction(statement: Sequence[Token], start: int, variables: AbstractSet[str]) -> None:
    """Refuse what could give a value of another type than the list has: the engines take its bytes for one of the
    list's, so that a number is read as the address of a text."""
    depth = 0
    for token in statement[start:]:
        if depth == 0 and token.is_sign("),"):
            return
        depth += token.is_sign("(") - token.is_sign(")")
        named = token.kind in (Kind.WORD, Kind.QUOTED) and _plain(token) in variables
        if not named and token.kind is not Kind.NUMBER and not token.is_sign("+*()"):
            raise token.error(
                ErrorCode.QUERY_ERROR,
                f"{token.text} may not stand in the lambda of list_reduce",
                "it is made of its variables, numbers, + and *, so that it keeps the type of the list; "
                "for anything else UNWIND the list and aggregate",
            )


def _plain(token: Token) -> str:
    return token.text.strip("`").upper()


def _is_lambda_arrow(statement: Sequence[Token], index: int) -> bool:
    """Whether the minus here begins the arrow of a lambda. In a pattern's arrow `]` or another minus is before it."""
    if not 0 < index < len(statement) - 1 or not statement[index].is_sign("-") or not statement[index + 1].is_sign(">"):
        return False
    return not statement[index - 1].is_sign("]-")
