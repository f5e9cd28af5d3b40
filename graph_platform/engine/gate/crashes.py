"""Legal statements that an engine does not survive, and that are simple enough to be told from their text.

Not here: limits of size (`budget.py`) and lambdas (`calls.py`), which are the same on every engine; and what can't be
told from a text, which costs a process when it happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from graph_platform.engine.gate.clauses import begins_pattern
from graph_platform.engine.gate.functions import FUNCTIONS, words
from graph_platform.engine.gate.lexer import Kind, Token
from graph_platform.errors import ErrorCode


def check_crashes(statement: Sequence[Token], engine: str) -> None:
    """Refuse a statement that crashes this engine.

    Raises:
        PlatformError: QUERY_ERROR with line and column, and what to write instead.
    """
    for rule in CRASHES.get(engine, ()):
        rule(statement)


def parameters_with_types(statement: Sequence[Token]) -> frozenset[str]:
    """The parameters that stand where a null would crash an engine, since a null parameter has no type either."""
    return frozenset(token.text[1:] for token in _where_types_are_needed(statement) if token.kind is Kind.PARAMETER)


def _null_without_a_type(statement: Sequence[Token]) -> None:
    """`id(NULL)`, `x IN NULL`, `WITH NULL AS x`: the engines read the type that such a null does not have."""
    for token in _where_types_are_needed(statement):
        if token.word == "NULL":
            raise token.error(
                ErrorCode.QUERY_ERROR,
                "the engines do not survive a NULL without a type here",
                "say its type: CAST(NULL AS STRING), or INT64[] …",
            )


def _where_types_are_needed(statement: Sequence[Token]) -> Iterator[Token]:
    """Each NULL and parameter that is all of an argument of a function that wants its type, or of the right of IN, or
    that WITH gives a name."""
    with_depth: list[bool] = [False]  # for each bracket around a token, whether the clause there is WITH
    for index, token in enumerate(statement):
        if token.is_sign("([{"):
            with_depth.append(False)
        elif token.is_sign(")]}"):
            with_depth.pop()
        elif token.word in _CLAUSES_OF_ITEMS:
            with_depth[-1] = token.word == "WITH"
        if token.word != "NULL" and token.kind is not Kind.PARAMETER:
            continue
        first, last = index, index
        while first > 0 and last + 1 < len(statement) and _are_parentheses(statement, first - 1, last + 1):
            first, last = first - 1, last + 1
        before = statement[first - 1] if first else None
        after = statement[last + 1] if last + 1 < len(statement) else None
        if before is None:
            continue
        named = after is not None and after.word == "AS" and with_depth[-1]
        if named or before.word == "IN" or (after is not None and _is_argument(statement, before, after, first)):
            yield token


def _are_parentheses(statement: Sequence[Token], first: int, last: int) -> bool:
    """Whether a pair of parentheses stands here that belongs to no function."""
    called = first > 0 and statement[first - 1].kind in (Kind.WORD, Kind.QUOTED) and _called(statement, first)
    return statement[first].is_sign("(") and statement[last].is_sign(")") and not called


def _is_argument(statement: Sequence[Token], before: Token, after: Token, first: int) -> bool:
    if not (before.is_sign("(,") and after.is_sign("),")):
        return False
    depth = 0
    for at in range(first - 1, -1, -1):
        depth += statement[at].is_sign(")]}") - statement[at].is_sign("([{")
        if depth < 0:
            return _called(statement, at) in _OF_A_TYPE
    return False


def _called(statement: Sequence[Token], bracket: int) -> str:
    name = statement[bracket - 1].text.strip("`").upper() if bracket else ""
    return name if name in _OF_A_TYPE or name in FUNCTIONS else ""


def _cost_of_a_path(statement: Sequence[Token]) -> None:
    """`MATCH p = … RETURN cost(p)`: the engines take the path for the edges of one, and read what is not there."""
    names = {
        statement[index].text.strip("`").upper()
        for index in range(len(statement) - 2)
        if statement[index + 1].is_sign("=") and statement[index + 2].is_sign("(")
    }
    for index in range(len(statement) - 3):
        called = statement[index].text.strip("`").upper() == "COST" and statement[index + 1].is_sign("(")
        if called and statement[index + 2].text.strip("`").upper() in names and statement[index + 3].is_sign(")"):
            raise statement[index + 2].error(
                ErrorCode.QUERY_ERROR,
                "the engines do not survive the cost of a path",
                "ask for that of its edges: MATCH p = (a)-[e* WSHORTEST(km)]->(b) RETURN cost(e)",
            )


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

_CLAUSES_OF_ITEMS = words("WITH RETURN MATCH UNWIND WHERE UNION CALL CREATE MERGE SET DELETE")

_OF_A_TYPE = words(
    "ARRAY_CONTAINS ARRAY_CROSS_PRODUCT ARRAY_HAS COST ELEMENT_AT END_NODE EQUALS GREATER_THAN GREATER_THAN_EQUALS ID "
    "KEYS LABEL LABELS LESS_THAN LESS_THAN_EQUALS LIST_ANY_VALUE LIST_CONTAINS LIST_HAS LIST_PRODUCT "
    "LIST_REVERSE_SORT LIST_SORT LIST_SUM MAP MAP_EXTRACT MAP_KEYS MAP_VALUES NODES NOT_EQUALS PROPERTIES "
    "RELATIONSHIPS RELS ROWID START_NODE STRUCT_EXTRACT UNION_EXTRACT"
)
"""Functions in which a NULL without a type was seen to end a process, of either engine; each was tried."""

_ON_BOTH = (_null_without_a_type, _cost_of_a_path)

CRASHES: Mapping[str, tuple[Callable[[Sequence[Token]], None], ...]] = {
    "ladybug": _ON_BOTH,
    "ryugraph": (*_ON_BOTH, _filter_before_reading),
}
"""The rules for each engine."""
