"""A statement that was let through, made to ask the engine for no more rows than will be given.

The engines keep a whole result in memory, so what nobody will see should not be made. Rows are only ever left out at
the end of the statement, where LIMIT may be written or made smaller; whatever is not surely that stays as it is, since
the rows are counted again when they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token, tokens
from graph_platform.engine.gate.statement import Statement

_END_WITH_RETURN = words("MATCH OPTIONAL UNWIND WITH RETURN")
"""What a statement begins with that, unless it writes, must end with a RETURN; a CALL alone need not."""


def with_row_limit(statement: Statement, rows: int) -> Statement:
    """The statement with `LIMIT rows` at its end, where that changes nothing but the number of rows.

    One that writes stays as it is (rows that are not asked for may never be written), and so do EXPLAIN and PROFILE,
    UNION (LIMIT would be its last part's), CALL, and a LIMIT that is a parameter or an expression, or a smaller
    number.

    Args:
        rows: the row limit and one more, so that it shows whether there were more.
    """
    found = tokens(statement.subject)
    if statement.writes or statement.text != statement.subject or found[0].word not in _END_WITH_RETURN:
        return statement
    if any(token.word == "UNION" for token in found):
        return statement
    text = _limited(statement.text, _last_return(found), rows)
    return replace(statement, text=text, subject=text)


def _last_return(found: Sequence[Token]) -> list[Token]:
    """What follows the last RETURN outside brackets, without what stands in brackets.

    RETURN may be a name too, so this is all of the last clause or the end of it; its LIMIT, behind which no name can
    stand, is in it either way.
    """
    depth, kept = 0, list[Token]()
    for token in found:
        depth -= token.is_sign(")]}")
        if not depth and token.word == "RETURN":
            kept = []
        elif not depth:
            kept.append(token)
        depth += token.is_sign("([{")
    return kept


def _limited(text: str, clause: Sequence[Token], rows: int) -> str:
    if not any(_may_be_limit(clause, index) for index in range(len(clause))):
        return f"{text} LIMIT {rows}"
    last = clause[-1]
    if last.kind is not Kind.NUMBER or not _may_be_limit(clause, len(clause) - 2):
        return text
    # a number behind a word can be nothing but what a clause's keyword asks for
    if not last.text.isdecimal() or not rows < int(last.text) < 2**63:
        return text
    return f"{text[: len(text) - len(last.text)]}{rows}"


def _may_be_limit(clause: Sequence[Token], index: int) -> bool:
    """Whether the token is the word LIMIT, which is a keyword everywhere but after a point."""
    return clause[index].word == "LIMIT" and not (index and clause[index - 1].is_sign("."))
