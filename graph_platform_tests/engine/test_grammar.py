"""What the gate takes for granted, asked of the grammars in the pinned wheels: why two lists of words are enough."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graph_platform.engine.gate.clauses import (
    BEGINNING_SIGNS,
    CLAUSES,
    ENDING_SIGNS,
    READING_CLAUSES,
    STARTS,
    may_begin_clause,
)
from graph_platform.engine.gate.functions import words
from graph_platform.engine.gate.lexer import Kind, Token, tokens
from graph_platform.errors import PlatformError
from graph_platform_tests.engine.conftest import ENGINES
from graph_platform_tests.engine.dialect import NAMES, RESERVED
from graph_platform_tests.engine.grammar import grammar

HARMLESS = words(
    # they belong to a clause that everybody may send, and begin none
    "ACYCLIC ALL AND ANY AS ASC ASCENDING BY CASE CAST CONTAINS COUNT DESC DESCENDING DISTINCT ELSE END ENDS EXISTS "
    "FALSE HINT IN IS JOIN LIMIT MULTI_JOIN NONE NOT NULL ON OR ORDER SHORTEST SINGLE SKIP STARTS THEN TRAIL TRUE WHEN "
    "WHERE WSHORTEST XOR YIELD "
    # types, in CAST
    "DECIMAL MAP STRUCT "
    # they belong to LOAD
    "FROM GLOB HEADERS"
)
"""The other keywords of a query: whoever raises a pin and finds a new one here decides what it is."""

engines = pytest.mark.parametrize("engine", ENGINES)


@engines
@pytest.mark.parametrize("word", sorted(CLAUSES))
def test_no_clause_begins_where_the_gate_takes_its_word_for_a_name(engine: str, word: str) -> None:
    around = grammar(engine).around(word)
    signs_before = {text for text in around.before if not any(character.isalpha() for character in text)}
    signs_after = {text for text in around.after if not any(character.isalpha() for character in text)}
    assert around.before, "the word begins nothing: the test looks at the wrong thing"
    assert signs_before <= ENDING_SIGNS
    assert signs_after <= BEGINNING_SIGNS | {"$"}  # a parameter is one token to the gate
    assert "the end" not in around.after
    if word == "LOAD":
        assert signs_before == ENDING_SIGNS, "the list has a sign that it does not need"


@engines
def test_every_word_that_a_query_can_have_is_a_clause_that_was_decided_about_or_harmless(engine: str) -> None:
    assert grammar(engine).query_words() - CLAUSES - READING_CLAUSES - HARMLESS == set()


@engines
def test_a_query_begins_with_a_clause_and_a_statement_that_is_let_through_with_a_query_or_a_definition(
    engine: str,
) -> None:
    assert grammar(engine).query_starts() == (CLAUSES | READING_CLAUSES) - {"UNION"}
    others = grammar(engine).statement_starts() - grammar(engine).query_starts()
    assert STARTS["read"] & others == set()
    assert STARTS["write"] & others == {"ALTER", "DROP"}, "definitions.py has the grammar of both"


@engines
def test_no_reserved_word_is_a_name(engine: str) -> None:
    assert NAMES - {"ANALYZE"} - grammar(engine).names == set()  # Ryugraph does not know it
    assert grammar(engine).names & RESERVED == set()
    assert {"CASE", "WHEN", "END", "UNWIND", "WHERE", "UNION"} & grammar(engine).names == set(), "limits.py counts them"


def gaps_left_out(text: str, engine: str) -> list[tuple[int, str]]:
    """The engine's tokens without spaces and comments, each with its place in the text."""
    found, at = [], 0
    for kind, piece in grammar(engine).cut(text):
        if kind != grammar(engine).space:
            found.append((at, piece))
        at += len(piece)
    return found


def own_places(text: str) -> list[tuple[int, Token]]:
    """The gate's tokens, each with its place in the text."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return [(starts[token.line - 1] + token.column - 1, token) for token in tokens(text)]


WORDS = sorted(
    words("LOAD load AS x größe _ 1 0 1.5 .5 1e5 1. .. $a $1 $ // /* */ / * e E-1 + - > < = ! | , : ٣ € ⅷ ‿")
)
QUOTES = ("'", '"', "`", "\\", "\\'", "\\x41", "\\u0041", *"()[]{}", *" \n\r\t\u00a0\u200b\x1c")
PIECES = st.sampled_from((*WORDS, *QUOTES))


@engines
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=12))
@example("$aLOAD")
@example("x$LOAD FROM")
@example("1LOAD")
@example("1e5LOAD")
@example("1e+5LOAD")
@example("..5LOAD")
@example("'\\x'LOAD'")
@example("'a''LOAD'")
@example("٣LOAD")
@example("/**/LOAD/***/LOAD//LOAD\nLOAD")
@example("/*/LOAD/**/LOAD*/LOAD")
def test_the_engines_cut_what_the_gate_cuts_and_find_the_same_words(engine: str, text: str) -> None:
    try:
        own = own_places(text)
    except PlatformError:
        return
    ours = dict(own)
    for at, piece in gaps_left_out(text, engine):
        if piece.upper() not in CLAUSES | READING_CLAUSES:
            continue
        inside = next((token for start, token in own if start <= at < start + len(token.text)), None)
        assert inside is not None, "the engine reads a word in what the gate takes for a comment"
        if at not in ours:
            assert inside.kind is Kind.PARAMETER, f"the engine reads a word inside {inside}"
        elif ours[at].kind is not Kind.PARAMETER:
            assert ours[at].word == piece.upper()


@pytest.mark.parametrize("sign", list(".:|,=+-/%^<>&[("))
def test_the_operand_of_a_sign_is_a_name(sign: str) -> None:
    before = Token(Kind.SIGN, sign, 1, 1)
    word, after = Token(Kind.WORD, "load", 1, 2), Token(Kind.WORD, "FROM", 1, 7)
    assert not may_begin_clause([before, word, after], 1)


@pytest.mark.parametrize("sign", list(".:)]},=|"))
def test_before_a_sign_that_follows_an_operand_a_word_is_a_name(sign: str) -> None:
    before, word, after = Token(Kind.WORD, "AS", 1, 1), Token(Kind.WORD, "load", 1, 4), Token(Kind.SIGN, sign, 1, 8)
    assert not may_begin_clause([before, word, after], 1)
    assert not may_begin_clause([before, word], 1)


@pytest.mark.parametrize(
    "before",
    [Token(Kind.SIGN, sign, 1, 1) for sign in sorted("*!)]}{")]
    + [
        Token(kind, text, 1, 1)
        for kind, text in (
            (Kind.WORD, "AS"),
            (Kind.WORD, "x"),
            (Kind.NUMBER, "1"),
            (Kind.STRING, "'a'"),
            (Kind.PARAMETER, "$a"),
            (Kind.QUOTED, "`a`"),
        )
    ],
    ids=lambda token: token.text,
)
def test_after_what_can_end_a_clause_a_word_may_begin_one(before: Token) -> None:
    word, after = Token(Kind.WORD, "load", 1, 2), Token(Kind.WORD, "FROM", 1, 7)
    assert may_begin_clause([before, word, after], 1)
