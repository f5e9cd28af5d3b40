"""The grammar of an engine as its wheel has it: the tables of its ANTLR lexer and parser, read out of the library.

Both engines carry them serialized, as arrays of 32-bit numbers, and the same runtime in Python can read them. So what
the gate takes for granted about a grammar is asked of the grammar itself, of each pinned release, and not of a copy.
"""

from __future__ import annotations

import importlib.util
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from antlr4 import InputStream, Lexer
from antlr4 import Token as AntlrToken
from antlr4.atn.ATNDeserializer import ATNDeserializer
from antlr4.atn.LexerATNSimulator import LexerATNSimulator
from antlr4.atn.Transition import NotSetTransition, RuleTransition, WildcardTransition
from antlr4.dfa.DFA import DFA
from antlr4.PredictionContext import PredictionContextCache

from graph_platform.engine.gate.functions import words

SPELLED = words(
    "ACYCLIC ADD ALL ALTER ANALYZE AND ANY AS ASC ASCENDING ATTACH BEGIN BY CALL CASE CAST CHECKPOINT COLUMN "
    "COMMENT COMMIT CONTAINS COPY COUNT CREATE CSR CYCLE DATABASE DBTYPE DECIMAL DEFAULT DELETE DESC DESCENDING "
    "DETACH DISTINCT DROP ELSE END ENDS EXISTS EXPLAIN EXPORT EXTENSION FALSE FOR FORCE FROM GLOB GRAPH GROUP HASH "
    "HEADERS HINT IF IMPORT IN INCREMENT INDEX INSTALL IS JOIN KEY LIMIT LIST LOAD LOGICAL MACRO MAP MATCH MAXVALUE "
    "MERGE MINVALUE MULTI_JOIN NO NODE NONE NOT NULL ON ONLY OPTIONAL OPTIONS OR ORDER PARTITION PARTITIONS "
    "PASSWORD PRIMARY PROFILE PROJECT RANGE READ REL RENAME RETURN ROLE ROLLBACK SEQUENCE SET SHORTEST SINGLE SKIP "
    "SORTED START STARTS STRUCT TABLE THEN TO TRAIL TRANSACTION TRUE TYPE UNINSTALL UNION UNWIND UPDATE USE USER "
    "WHEN WHERE WITH WRITE WSHORTEST XOR YIELD"
)
"""Keywords of either engine; a token that none of these and no sign makes shows as `token N`."""

_SIGNS = ". .. : | , = + - / % ^ < > & [ ( { * ! ) ] } <> <= >= << >> =~ != ; $"
_EXAMPLES = {"a name": "zzz", "a letter": "a", "a quoted name": "`a`", "a string": "'a'", "an integer": "1"}
_EXAMPLES |= {"a real": "1.5", "a real with exponent": "1e5"}
_STATEMENT_RULE = 2  # statements, a statement with its option, a statement: the first three rules of both grammars

Edge = tuple[str | None, Any]


class _Cut(Lexer):  # type: ignore[misc]
    def __init__(self, tables: Any) -> None:
        super().__init__(InputStream(""))
        states = [DFA(state, number) for number, state in enumerate(tables.decisionToState)]
        self._interp = LexerATNSimulator(self, tables, states, PredictionContextCache())

    def action(self, *_: object) -> None:
        """The grammars' lexers have no actions."""


@dataclass(frozen=True)
class Around:
    """What can stand directly before and after a word that begins a clause, spaces left out."""

    before: frozenset[str]
    after: frozenset[str]


class Grammar:
    """One engine's lexer and parser."""

    def __init__(self, library: Path) -> None:
        data = library.read_bytes()
        self._lexer = _Cut(_tables(data, 0))
        self._parser = _tables(data, 1)
        self._spelled = {-1: "the end"}
        for name in (*SPELLED, *_SIGNS.split()):
            cut = self.cut(name)
            if len(cut) == 1:
                self._spelled.setdefault(cut[0][0], name)
        for name, example in _EXAMPLES.items():
            self._spelled[self.cut(example)[0][0]] = name
        self.space = self.cut(" ")[0][0]
        self._spelled[self.space] = " "

    def cut(self, text: str) -> list[tuple[int, str]]:
        """The tokens of a text, spaces and comments among them, as (type, text)."""
        self._lexer.inputStream = InputStream(text)
        found: list[tuple[int, str]] = []
        while True:
            token = self._lexer.nextToken()
            if token.type == AntlrToken.EOF:
                return found
            found.append((token.type, token.text))

    def spelled(self, kind: int) -> str:
        """What a token of this type looks like."""
        return self._spelled.get(kind, f"token {kind}")

    @property
    def names(self) -> frozenset[str]:
        """Keywords that are names, too: the rule that has most words to choose from."""
        return max(self._words_of_rules().values(), key=len)

    def statement_starts(self) -> frozenset[str]:
        """The words that a statement can begin with, after EXPLAIN and PROFILE."""
        return frozenset().union(*(self._first(state) for state in self._kinds_of_statement()))

    def query_starts(self) -> frozenset[str]:
        """The words that a query can begin with."""
        return self._first(self._query())

    def around(self, word: str) -> Around:
        """What can stand around a keyword of a query where it is no name.

        A context-free language is taken for the regular one around it, so there is more in this than the engine takes,
        never less. What a LOAD would begin is left out of what comes before a word: it is never let through.
        """
        forward, whole = self._query_edges(through_load=False), self._query_edges(through_load=True)
        backward: dict[Any, set[Edge]] = defaultdict(set)
        for state, edges in forward.items():
            for label, target in edges:
                backward[target].add((label, state))
        before: set[str] = set()
        after: set[str] = set()
        for state, edges in forward.items():
            for label, target in edges:
                if label == word:
                    before |= _nearest(state, backward)
                    after |= _nearest(target, whole)
        return Around(frozenset(before), frozenset(after))

    def query_words(self) -> frozenset[str]:
        """Every keyword that a query can have where it is no name."""
        return frozenset(
            label for edges in self._query_edges(through_load=True).values() for label, _ in edges if label in SPELLED
        )

    def _labels(self, state: Any, transition: Any) -> Iterator[str]:
        if isinstance(transition, WildcardTransition | NotSetTransition):
            raise AssertionError("the parser's rules have neither")
        for kind in transition.label:
            name = self.spelled(kind)
            yield f"the name {name}" if state.ruleIndex == self._names_rule() and name in SPELLED else name

    @cache  # noqa: B019 — a grammar lives as long as its process
    def _words_of_rules(self) -> dict[int, frozenset[str]]:
        found: dict[int, set[str]] = defaultdict(set)
        for state in filter(None, self._parser.states):
            for transition in state.transitions:
                if not transition.isEpsilon:
                    found[state.ruleIndex] |= {self.spelled(kind) for kind in transition.label}
        return {rule: frozenset(names & SPELLED) for rule, names in found.items()}

    @cache  # noqa: B019
    def _names_rule(self) -> int:
        rules = self._words_of_rules()
        return max(rules, key=lambda rule: len(rules[rule]))

    def _kinds_of_statement(self) -> list[Any]:
        kinds: list[Any] = []
        todo, seen = [self._parser.ruleToStartState[_STATEMENT_RULE]], set()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            for transition in state.transitions:
                (kinds if isinstance(transition, RuleTransition) else todo).append(transition.target)
        return kinds

    def _query(self) -> Any:
        [query] = [state for state in self._kinds_of_statement() if "UNWIND" in self._first(state)]
        return query

    def _first(self, start: Any) -> frozenset[str]:
        found: set[str] = set()
        todo, seen = [start], set()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            for transition in state.transitions:
                if transition.isEpsilon:
                    todo.append(transition.target)
                else:
                    found |= {self.spelled(kind) for kind in transition.label}
        return frozenset(found)

    @cache  # noqa: B019
    def _query_edges(self, *, through_load: bool) -> dict[Any, set[Edge]]:
        """From each state that a query can reach, what is read to which state; None for what reads nothing."""
        edges: dict[Any, set[Edge]] = defaultdict(set)
        todo, seen = [self._query()], set()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            for transition in state.transitions:
                if isinstance(transition, RuleTransition):
                    stop = self._parser.ruleToStopState[transition.target.ruleIndex]
                    edges[state].add((None, transition.target))
                    edges[stop].add((None, transition.followState))
                    todo += [transition.target, transition.followState]
                elif state in self._parser.ruleToStopState:
                    continue  # leads back to every caller, of which only those that a query has count: added above
                elif transition.isEpsilon:
                    edges[state].add((None, transition.target))
                    todo.append(transition.target)
                else:
                    for label in self._labels(state, transition):
                        edges[state].add((label, transition.target))
                        if through_load or label != "LOAD":
                            todo.append(transition.target)
        return edges


@cache
def grammar(engine: str) -> Grammar:
    """The grammar of an engine's wheel; the engine is not imported."""
    found = importlib.util.find_spec(engine)
    assert found and found.origin
    [library] = [path for path in Path(found.origin).parent.glob("*.so") if path.name.startswith("_")]
    return Grammar(library)


def _nearest(start: Any, edges: dict[Any, set[Edge]]) -> set[str]:
    found: set[str] = set()
    todo, seen = [start], set()
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        for label, target in edges.get(state, ()):
            if label is None or label == " ":
                todo.append(target)
            else:
                found.add(label)
    return found


def _tables(data: bytes, kind: int) -> Any:
    """The lexer's tables (kind 0) or the parser's (kind 1): version 4, the kind, how many tokens and states."""
    for at in _places(data, struct.pack("<2i", 4, kind)):
        most_tokens, states = struct.unpack_from("<2i", data, at + 8)
        if 100 < most_tokens < 1000 and 500 < states < 50_000:
            length = min(400_000, (len(data) - at) // 4)
            return ATNDeserializer().deserialize(list(struct.unpack_from(f"<{length}i", data, at)))
    raise AssertionError("the library has no tables of an ANTLR grammar")


def _places(data: bytes, pattern: bytes) -> Iterable[int]:
    at = data.find(pattern)
    while at >= 0:
        if at % 4 == 0:
            yield at
        at = data.find(pattern, at + 1)
