"""Legal statements that an engine does not survive, and that are simple enough to be told from their text.

Not here: limits of size (`limits.py`) and lambdas (`calls.py`), which are the same on every engine; and what can't be
told from a text, which costs a process when it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graph_platform.engine.gate.clauses import begins_pattern
from graph_platform.engine.gate.lexer import Token
from graph_platform.errors import ErrorCode


def check_crashes(statement: Sequence[Token], engine: str) -> None:
    """Refuse a statement that crashes this engine.

    Raises:
        PlatformError: QUERY_ERROR with line and column, and what to write instead.
    """
    for rule in CRASHES.get(engine, ()):
        rule(statement)


def _filter_before_reading(statement: Sequence[Token]) -> None:
    """WITH … WHERE while nothing was read: Ryugraph plans a filter without an input."""
    depth, reading = 0, False
    for index, token in enumerate(statement):
        depth += token.is_sign("([{") - token.is_sign(")]}")
        if depth:
            continue
        if token.word == "UNION":
            reading = False
        elif _reads(statement, index):
            reading = True
        elif token.word == "WHERE" and not reading:
            raise token.error(
                ErrorCode.QUERY_ERROR,
                "this engine cannot filter with WHERE before anything was read",
                "begin with MATCH or UNWIND: UNWIND [1] AS x WITH x WHERE …",
            )


def _reads(statement: Sequence[Token], index: int) -> bool:
    word = statement[index].word
    if word == "CALL":
        return index + 2 < len(statement) and statement[index + 2].is_sign("(")
    return word == "UNWIND" or (word in _BEFORE_PATTERNS and begins_pattern(statement, index + 1))


_BEFORE_PATTERNS = frozenset({"MATCH", "CREATE", "MERGE"})

CRASHES: Mapping[str, tuple[Callable[[Sequence[Token]], None], ...]] = {"ryugraph": (_filter_before_reading,)}
"""The rules for each engine."""
