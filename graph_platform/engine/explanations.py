"""What an engine says against a statement, in the words of whoever wrote it: a table of what the engines say.

Both engines of the Kuzu family say the same; what is not in the table is told as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from graph_platform.engine.gate.lexer import Kind, Token, tokens
from graph_platform.errors import ErrorCode, PlatformError

EXACT: Mapping[str, str] = MappingProxyType(
    {
        "SUM": "list_sum(collect({0}))",
        "AVG": "CAST(list_sum(collect({0})) AS DOUBLE) / size(collect({0}))",
        "MIN": "list_sort(collect({0}))[1]",
        "MAX": "list_reverse_sort(collect({0}))[1]",
        "COUNT": "size(collect({0}))",
    }
)
"""How an aggregate of a DECIMAL is written, which neither engine has for that type; exact, but the division of AVG.
Of no rows at all LadybugDB refuses the first value of a list, and Ryugraph gives NULL."""

_SHOWN_KINDS = 6


@dataclass(frozen=True)
class Explanation:
    """A message, what to do, and where in the statement: the first token that it is about, if there is one."""

    message: str
    hint: str | None = None
    at: Token | None = None


def explained(error: PlatformError, text: str) -> PlatformError:
    """The engine's error in the words of the statement, with its line and column there.

    Args:
        error: a QUERY_ERROR with what the engine said.
        text: the statement as its author wrote it.
    """
    if error.code is not ErrorCode.QUERY_ERROR:
        return error
    for pattern, explain in _TABLE:
        match = pattern.search(error.message)
        found = explain(match, tokens(text)) if match else None
        if found is not None:
            return _told(found, error)
    return error


def _told(found: Explanation, error: PlatformError) -> PlatformError:
    details: dict[str, Any] = dict(error.details)
    message = found.message
    if found.at is not None:
        message += f", at line {found.at.line}, column {found.at.column}"
        details |= {"line": found.at.line, "column": found.at.column}
    return PlatformError(error.code, message, found.hint, details)


def _not_understood(match: re.Match[str], found: Sequence[Token]) -> Explanation | None:
    """The parser names the place in what it was sent: the words as written, one space between those that are apart."""
    offset = int(match["offset"])
    if match["sent"] is not None and match["sent"].startswith("EXPLAIN ") and found[0].word != "EXPLAIN":
        offset -= len("EXPLAIN ")
    at = _token_at(found, offset)
    if at is None:
        last = found[-1]
        return Explanation(f"the statement is not whole: it ends after {last.text}", None, last)
    if at.kind is Kind.WORD:
        hint = f"if it is a name, quote it with backticks: `{at.text}`"
        return Explanation(f"the engine did not expect {at.text} here", hint, at)
    return Explanation(f"the engine did not expect {at.text} here", None, at)


def _token_at(found: Sequence[Token], offset: int) -> Token | None:
    """The token that has this place in the text that `gate.statement` makes of them."""
    position = 0
    for before, token in zip([None, *found], found, strict=False):
        if before is not None:
            adjoining = before.line == token.line and before.column + len(before.text) == token.column
            position += 0 if adjoining else 1
        if offset < position + len(token.text):
            return token
        position += len(token.text)
    return None


def _wrong_arguments(match: re.Match[str], found: Sequence[Token]) -> Explanation | None:
    name, actual = match["name"], match["actual"]
    call = next((at for at, token in enumerate(found) if token.word == name and _opens(found, at + 1)), None)
    place = None if call is None else found[call]
    if name in EXACT and actual.startswith("(DECIMAL"):
        argument = "…" if call is None else _argument(found, call + 2)
        hint = f"write {EXACT[name].format(argument)}"
        return Explanation(f"{name} does not take a DECIMAL in this engine", hint, place)
    kinds = list(dict.fromkeys(re.findall(r"(\([^()]*(?:\([^()]*\)[^()]*)*\)) ->", match["expected"])))
    more = f" and {len(kinds) - _SHOWN_KINDS} more" if len(kinds) > _SHOWN_KINDS else ""
    takes = f"it takes {', '.join(kinds[:_SHOWN_KINDS])}{more}" if kinds else None
    return Explanation(f"{name} does not take {actual}", takes, place)


def _opens(found: Sequence[Token], at: int) -> bool:
    return at < len(found) and found[at].is_sign("(")


def _argument(found: Sequence[Token], begin: int) -> str:
    """The text of a call's arguments, from its first token on."""
    depth, words = 1, []
    for at in range(begin, len(found)):
        depth += found[at].is_sign("([{") - found[at].is_sign(")]}")
        if depth == 0:
            break
        before = found[at - 1]
        apart = at > begin and (before.line, before.column + len(before.text)) != (found[at].line, found[at].column)
        words.append(f" {found[at].text}" if apart else found[at].text)
    return "".join(words)


def _no_table(match: re.Match[str], found: Sequence[Token]) -> Explanation:
    name = match["name"]
    return Explanation(f"there is no label or type {name}", "/schema lists those that there are", _named(found, name))


def _no_property(match: re.Match[str], found: Sequence[Token]) -> Explanation:
    name, owner = match["name"], match["owner"]
    return Explanation(f"{owner} has no property {name}", "/schema lists those that there are", _named(found, name))


def _out_of_scope(match: re.Match[str], found: Sequence[Token]) -> Explanation:
    name = match["name"]
    hint = "it has to come from a MATCH, an UNWIND or a WITH before; a text stands in quotes"
    return Explanation(f"nothing is called {name} here", hint, _named(found, name))


def _named(found: Sequence[Token], name: str) -> Token | None:
    return next((token for token in found if token.text.strip("`").lower() == name.lower()), None)


_TABLE: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str], Sequence[Token]], Explanation | None]]] = (
    (
        re.compile(r'^Parser exception: .*\(line: \d+, offset: (?P<offset>\d+)\)(?:\n"(?P<sent>[^\n]*)")?', re.DOTALL),
        _not_understood,
    ),
    (
        re.compile(
            r"^Binder exception: Function (?P<name>\w+) did not receive correct arguments:\s*"
            r"Actual:\s*(?P<actual>\(.*?\))\s*\nExpected: (?P<expected>.*)",
            re.DOTALL,
        ),
        _wrong_arguments,
    ),
    (re.compile(r"^Binder exception: Table (?P<name>.+) does not exist\.$"), _no_table),
    (re.compile(r"^Binder exception: Cannot find property (?P<name>.+) for (?P<owner>.+)\.$"), _no_property),
    (re.compile(r"^Binder exception: Variable (?P<name>.+) is not in scope\.$"), _out_of_scope),
)
