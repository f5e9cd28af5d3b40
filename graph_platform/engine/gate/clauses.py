"""Which words of a statement may begin a clause. Not here: what may follow one (`calls.py`, `definitions.py`).

The engines' grammars reserve few of their keywords: LOAD, CALL, SET, DELETE, DETACH and MERGE, and even AS and MATCH,
are names of variables, labels and properties as well, so `WITH 1 AS AS LOAD FROM '/etc/passwd' …` is a legal statement
and `n.load` is a legal property. A word is therefore never taken for a name because of the words around it. There are
two lists, and what decides is only what the grammar makes impossible:

1. `STARTS`. Most words that act (COPY, EXPORT, IMPORT, INSTALL, ATTACH, USE, COMMENT, BEGIN, ALTER, DROP …) begin a
   statement and nothing else, and there is one statement, with nothing before its first word but EXPLAIN or PROFILE.
   So the first word decides, and anywhere else they are names, or the engine's parser refuses the statement.
2. `CLAUSES`. Inside a query a clause begins where the query begins, after UNION, or where another clause ends. A clause
   ends with a name, a keyword, a literal, a parameter, a closing bracket, `*` (`RETURN *`, `n.*`) or `!` (factorial):
   each other sign wants an operand after it, so that the word after it is that operand. And the word that begins one
   of these clauses is followed by a name, a keyword, a literal or an opening bracket, or by the minus of
   `DELETE -x`: before each other sign it is an operand itself. In both cases it is a name; everywhere else it is taken
   for a clause, and whoever meant a name is told to quote it.

That holds for a whole statement by induction: up to the first word that is taken for a clause, nothing was let through
that could open another kind of text (`COPY (query)`, `CREATE TABLE … AS query`, `LOAD FROM (query)`).

`{` wants an operand too; no clause word is let through after it all the same, because a subquery in braces is what a
next release would bring (both engines take MATCH there, and nothing else).

This is no opinion about the grammar: `graph_platform_tests/engine/test_grammar.py` reads the parser's tables out of
each pinned wheel, computes what may stand before and after each of these words, and fails when a release adds a word
that begins a clause. `graph_platform_tests/engine/fuzz_gate.py` tries the same from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token

Access = Literal["read", "write"]

READING_CLAUSES = words("MATCH OPTIONAL UNWIND WITH RETURN UNION")
"""Words that begin a clause which everybody may send; they are not looked at, wherever they stand."""

CLAUSES = words("LOAD CALL CREATE MERGE SET DELETE DETACH")
"""Words that begin a clause inside a query which not everybody may send, or only with a listed function (CALL)."""

WRITING_CLAUSES = words("CREATE MERGE SET DELETE DETACH")

STARTS: dict[Access, frozenset[str]] = {
    "read": words("MATCH OPTIONAL UNWIND WITH RETURN CALL"),
    "write": words("MATCH OPTIONAL UNWIND WITH RETURN CALL CREATE MERGE ALTER DROP"),
}
"""The first word of a statement."""

ENDING_SIGNS = frozenset(")]}*!")
"""The signs that a clause can end with."""

BEGINNING_SIGNS = frozenset("([{-")
"""The signs that can follow the word that begins one of `CLAUSES`."""


def may_begin_clause(statement: Sequence[Token], index: int) -> bool:
    """Whether the word at `index`, which is a keyword, may begin a clause here; False only where it must be a name."""
    if index == 0:
        return True
    before = statement[index - 1]
    if before.kind is Kind.SIGN and before.text not in ENDING_SIGNS and before.text != "{":
        return False
    if index + 1 == len(statement):
        return False
    after = statement[index + 1]
    return after.kind is not Kind.SIGN or after.text in BEGINNING_SIGNS


def begins_pattern(statement: Sequence[Token], index: int) -> bool:
    """Whether `(` or `name =` stands at `index`, as a pattern begins: a keyword before it is no variable."""
    if index >= len(statement):
        return False
    if statement[index].is_sign("("):
        return True
    named = statement[index].kind in (Kind.WORD, Kind.QUOTED) and index + 1 < len(statement)
    return named and statement[index + 1].is_sign("=")
