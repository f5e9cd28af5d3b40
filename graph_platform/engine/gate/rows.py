"""A statement that was let through, made to ask the engine for no more rows than will be given.

The engines keep a whole result in memory, so what nobody will see should not be made. Rows are only ever left out at
the end of the statement, where LIMIT may be written or made smaller; whatever is not surely that stays as it is, since
the rows are counted again when they are read.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token, tokens
from graph_platform.engine.gate.statement import Statement

_END_WITH_RETURN = words("MATCH OPTIONAL UNWIND WITH RETURN")
"""What a statement begins with that, unless it writes, must end with a RETURN; a CALL alone need not."""

_DIRECTIONS = words("ASC ASCENDING DESC DESCENDING")


def with_row_limit(statement: Statement, rows: int) -> Statement:
    """The statement with `LIMIT rows` at its end, where that changes nothing but the number of rows.

    One that writes stays as it is (rows that are not asked for may never be written), and so do EXPLAIN and PROFILE,
    UNION (LIMIT would be its last part's), CALL, a LIMIT that is a parameter, an expression or a smaller number, and
    an ORDER BY that is not surely by properties of what was matched: where all rows have one key, both engines lose
    rows to a LIMIT.

    Args:
        rows: the row limit and one more, so that it shows whether there were more.
    """
    found = tokens(statement.subject)
    if statement.writes or statement.text != statement.subject or found[0].word not in _END_WITH_RETURN:
        return statement
    if any(token.word == "UNION" for token in found):
        return statement
    clause = _last_return(found)
    if not _keeps_rows(found, clause):
        return statement
    text = _limited(statement.text, clause, rows)
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


def _keeps_rows(found: Sequence[Token], clause: Sequence[Token]) -> bool:
    """Whether the clause has no ORDER BY, or one whose keys are all properties of what a pattern matched."""
    at = [index for index, token in enumerate(clause) if token.word == "ORDER" and not _is_property(clause, index)]
    if not at:
        return True
    if len(at) > 1 or clause[at[0] + 1 : at[0] + 2] == [] or clause[at[0] + 1].word != "BY":
        return False
    matched, renamed = _matched(found), _renamed(clause[: at[0]])
    ends = (index for index in range(at[0] + 2, len(clause)) if clause[index].word in ("SKIP", "LIMIT"))
    end = next((index for index in ends if not _is_property(clause, index)), len(clause))
    return all(_is_matched_property(key, matched, renamed) for key in _divided(clause[at[0] + 2 : end]))


def _matched(found: Sequence[Token]) -> frozenset[str]:
    """The names that stand at the beginning of a node or an edge with a label, and nowhere behind AS."""
    named = {
        _name(name)
        for opening, name, colon in zip(found, found[1:], found[2:], strict=False)
        if opening.is_sign("([") and colon.is_sign(":")
    }
    return frozenset(named - {_name(name) for before, name in itertools.pairwise(found) if before.word == "AS"})


def _renamed(clause: Sequence[Token]) -> dict[str, Sequence[Token]]:
    """What is given back under another name: by that name."""
    items = [item for item in _divided(clause) if len(item) > 2 and item[-2].word == "AS"]
    return {_name(item[-1]): item[:-2] for item in items}


def _divided(clause: Sequence[Token]) -> list[Sequence[Token]]:
    """The parts between the commas."""
    commas = [index for index, token in enumerate(clause) if token.is_sign(",")]
    return [clause[first + 1 : last] for first, last in itertools.pairwise([-1, *commas, len(clause)])]


def _is_matched_property(
    key: Sequence[Token], matched: Collection[str], renamed: Mapping[str, Sequence[Token]]
) -> bool:
    if len(key) > 1 and key[-1].word in _DIRECTIONS and not key[-2].is_sign("."):
        key = key[:-1]
    if len(key) == 1:
        key = renamed.get(_name(key[0]), key)
    return len(key) == 3 and key[1].is_sign(".") and _name(key[0]) in matched


def _name(token: Token) -> str:
    """A name as it is compared: without its quotes, and whatever the case of its letters."""
    return token.text.removeprefix("`").removesuffix("`").casefold()


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
    return clause[index].word == "LIMIT" and not _is_property(clause, index)


def _is_property(clause: Sequence[Token], index: int) -> bool:
    return index > 0 and clause[index - 1].is_sign(".")
