"""What a statement surely asks too much of an engine, so that it is told at once and with what to do instead.

Decided from the tokens alone, so values that come as parameters are not seen. Nothing depends on it: whatever takes too
much time or memory ends at the query's limits, and costs a process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token
from graph_platform.errors import ErrorCode

MAX_OPERATORS = 1_000  # 2,000 take seconds to plan, 5,000 half a minute
MAX_EDGES = 20  # the planner tries orders of them: each further one costs more than the one before
MAX_LITERAL_SIZE = 10_000_000

_OPERATOR_SIGNS = frozenset("+-*/%^=<>")
_OPERATOR_WORDS = words("AND OR XOR")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_SIZED_FUNCTIONS = words("RANGE REPEAT LPAD RPAD")


@dataclass
class _Level:
    """The operators between a bracket and its end: those since the last comma, and the most before it."""

    operators: int = 0
    most_operators: int = 0


def check_budget(found: Sequence[Token]) -> None:
    """Refuse a statement that an engine would plan for too long, or that asks for a value of an absurd size.

    Raises:
        PlatformError: QUERY_ERROR with line and column.
    """
    levels = [_Level()]
    edges = 0
    for index, token in enumerate(found):
        before = found[index - 1] if index else None
        level = levels[-1]
        if token.kind is Kind.SIGN and token.text in _OPENING:
            edges += _begins_edge(token, before)
            _check_size(found, index)
            levels.append(_Level())
        elif token.kind is Kind.SIGN and token.text in _CLOSING:
            levels.pop()
            levels[-1].operators += max(level.operators, level.most_operators)
        elif token.is_sign(","):
            level.operators, level.most_operators = 0, max(level.operators, level.most_operators)
        elif token.word in _OPERATOR_WORDS or (token.kind is Kind.SIGN and token.text in _OPERATOR_SIGNS):
            level.operators += 1  # arrows too: a word that makes a pattern may be a name
            edges += _begins_edge(token, before)
        hint = "pass the values as one list: `x IN $values`"
        _check_count(token, levels[-1].operators, MAX_OPERATORS, "an expression has more than {} operators", hint)
        hint = "ask in several statements"
        _check_count(token, edges, MAX_EDGES, "the statement has more than {} edges in its patterns", hint)


def _begins_edge(token: Token, before: Token | None) -> bool:
    """`-[` and `--`; a minus before a list is no arithmetic."""
    return before is not None and before.text == "-" and token.text in ("[", "-")


def _check_count(token: Token, count: int, limit: int, message: str, hint: str) -> None:
    if count > limit:
        raise token.error(ErrorCode.QUERY_ERROR, message.format(f"{limit:,}"), hint)


def _check_size(found: Sequence[Token], bracket: int) -> None:
    function = found[bracket - 1] if bracket else None
    name = function.text.strip("`").upper() if function and function.kind in (Kind.WORD, Kind.QUOTED) else ""
    if function is None or name not in _SIZED_FUNCTIONS:
        return
    arguments = list(_arguments(found, bracket))
    if _size(name, arguments) > MAX_LITERAL_SIZE:
        message = f"{function.text} would make a value of more than {MAX_LITERAL_SIZE:,} elements"
        raise function.error(ErrorCode.QUERY_ERROR, message, "the engine holds it in memory as a whole: ask for less")


def _arguments(found: Sequence[Token], bracket: int) -> Iterator[list[Token]]:
    depth, argument = 0, list[Token]()
    for token in found[bracket + 1 :]:
        sign = token.text if token.kind is Kind.SIGN else ""
        if depth == 0 and (sign == "," or sign in _CLOSING):
            yield argument
            argument = []
            if sign != ",":
                return
            continue
        depth += (sign in _OPENING) - (sign in _CLOSING)
        argument.append(token)


def _size(name: str, arguments: Sequence[Sequence[Token]]) -> float:
    """The length of what a call with literal arguments makes, 0 if that cannot be told."""
    numbers = [_number(argument) for argument in arguments]
    if name == "RANGE":
        start, end, step = (*numbers, None, None, None)[:3]
        return 0 if start is None or end is None else abs(end - start) / max(1, abs(step or 1))
    times = numbers[1] if len(numbers) > 1 else None
    text = arguments[0]
    literal = len(text) == 1 and text[0].kind is Kind.STRING and name == "REPEAT"
    return (times or 0) * (max(1, len(text[0].text) - 2) if literal else 1)


def _number(argument: Sequence[Token]) -> float | None:
    """The number that an argument is, with signs and brackets around it; None for anything else."""
    kept = [token for token in argument if token.text not in ("(", ")", "+")]
    minus = 0
    while kept and kept[0].text == "-":
        kept, minus = kept[1:], minus + 1
    if len(kept) != 1 or kept[0].kind is not Kind.NUMBER:
        return None
    value = float(kept[0].text)
    return -value if minus % 2 else value
