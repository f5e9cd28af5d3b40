"""Words that the parser takes for operators and Trino leaves free as names: `regexp`, `glob`, `any`, `semi` …

Where such a word stands as a name it is given to the parser as a quoted one. Where it stands as an operator it is left
alone, so that `graph_platform.mapping.sql.foreign` can refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

TEXTS = frozenset(kind for kind in TokenType if kind.name == "STRING" or kind.name.endswith("_STRING"))
"""The kinds of literal text. Not the types that are called so, such as LINESTRING."""

_BETWEEN_OPERANDS = frozenset({TokenType.RLIKE, TokenType.GLOB, TokenType.ILIKE})
_AFTER_AN_OPERAND = frozenset({TokenType.ISNULL, TokenType.NOTNULL})
_BEFORE_AN_OPERAND = frozenset({TokenType.ANY, TokenType.SOME})
_BEFORE_A_JOIN = frozenset({TokenType.SEMI, TokenType.ANTI, TokenType.ASOF})
_FREE = _BETWEEN_OPERANDS | _AFTER_AN_OPERAND | _BEFORE_AN_OPERAND | _BEFORE_A_JOIN

_VALUES = TEXTS | {TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.NULL}
ENDS = frozenset(Parser.ID_VAR_TOKENS | _VALUES | {TokenType.R_PAREN, TokenType.R_BRACKET})
"""The kinds of tokens that an operand can end with."""

# As of an alias: LEFT, FULL and their like go on with the FROM clause.
_STARTS = frozenset(
    Parser.TABLE_ALIAS_TOKENS | _VALUES | {TokenType.CASE, TokenType.L_PAREN, TokenType.DASH, TokenType.PLUS}
)
_JOINS = frozenset({TokenType.JOIN, TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.INNER})


def with_names_quoted(tokens: Sequence[Token]) -> list[Token]:
    """The tokens, each free word that stands as a name with the kind of a quoted one; texts and places stay."""
    names = frozenset(_names(tokens))
    return [_quoted(token) if index in names else token for index, token in enumerate(tokens)]


def _names(tokens: Sequence[Token]) -> Iterator[int]:
    kinds = [token.token_type for token in tokens]
    for index, kind in enumerate(kinds):
        if kind in _FREE and not _is_operator(tokens, kinds, index):
            yield index


def _is_operator(tokens: Sequence[Token], kinds: Sequence[TokenType], index: int) -> bool:
    kind = kinds[index]
    before = index - 1
    if before >= 0 and kinds[before] is TokenType.NOT:  # x NOT ILIKE y
        before -= 1
    follows_operand = before >= 0 and kinds[before] in ENDS
    after = kinds[index + 1] if index + 1 < len(kinds) else None
    if kind in _BETWEEN_OPERANDS:
        return follows_operand and after in _STARTS
    if kind in _AFTER_AN_OPERAND:
        return follows_operand
    if kind in _BEFORE_AN_OPERAND:
        return after in _STARTS
    return after in _JOINS and not _qualifies(tokens, tokens[index].text)


def _qualifies(tokens: Sequence[Token], name: str) -> bool:
    """Whether a column is written as `name.column`: FROM orders semi JOIN … alone says nothing of an alias."""
    texts = [token.text.lower() for token in tokens]
    return any(text == name.lower() and after == "." for text, after in pairwise(texts))


def _quoted(token: Token) -> Token:
    return Token(TokenType.IDENTIFIER, token.text, token.line, token.col, token.start, token.end, token.comments)
