"""What a query says and its translation does not: an argument that DuckDB's function of that name has no place for.

The translator leaves out what it has no words for and says nothing. So what was written is counted: each literal, and
each name of a column or of a lambda's parameter, has to stand as often in DuckDB's text as in the user's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp

from graph_platform.mapping.sql.gate import tokens_of

_REWORDED = (exp.RegexpReplace, exp.TimeToStr, exp.StrToTime)
"""Functions with a pattern that DuckDB writes in another way; it is one that is translated, or refused before."""


def dropped(
    tree: exp.Expr, written: str, translated: str, reworded: Mapping[str, int]
) -> Iterator[tuple[exp.Func, str]]:
    """The functions of a query whose arguments the translation lost, each with the word that is missing.

    Args:
        tree: of what was written.
        translated: DuckDB's text.
        reworded: how often a word, in lower case, is told in another way.
    """
    there = Counter(reworded) + Counter(token.text.lower() for token in sqlglot.tokenize(translated, read="duckdb"))
    said = Counter(token.text.lower() for token in tokens_of(written))
    asked: Counter[str] = Counter()
    for node in tree.walk():
        word = _word(node)
        function = node.find_ancestor(exp.Func)
        if word is None or function is None or word.lower() not in said:
            continue
        asked[word.lower()] += 1
        if asked[word.lower()] > there[word.lower()]:
            yield function, word


def _word(node: exp.Expr) -> str | None:
    """What has to be found again of a node, None for one that others stand for or that is written otherwise."""
    if isinstance(node, exp.Identifier):
        function = node.find_ancestor(exp.Lambda)
        is_read = function is not None or isinstance(node.parent, exp.Column)
        return str(node.this) if is_read and not _changes_nothing(function) else None
    if isinstance(node, exp.Literal) and not isinstance(node.parent, (exp.DataTypeParam, exp.Bracket, *_REWORDED)):
        return str(node.this)
    return None


def _changes_nothing(function: exp.Lambda | None) -> bool:
    """Whether it is `s -> s`, which may be left out."""
    return function is not None and [each.name for each in function.expressions] == [function.this.name]
