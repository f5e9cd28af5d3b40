"""The tree of what was written: every function by the name that stands in the text.

The parser's own tree makes one node of the names of thirty dialects, and drops what it has no place for. Here it knows
no function but those with a grammar of their own.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import Dialect, exp
from sqlglot.dialects.trino import Trino
from sqlglot.parsers.trino import TrinoParser

from graph_platform.mapping.sql.free_words import with_names_quoted
from graph_platform.mapping.sql.gate import tokens_of

_WITH_A_GRAMMAR = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "TRIM", "SUBSTRING", "LISTAGG", "NORMALIZE")


def _decimal(text: exp.Expr, kind: exp.DataType) -> exp.Cast:
    """`DECIMAL '1.50'` has the digits that are written, where `CAST('1.50' AS DECIMAL)` has none after the point."""
    whole, _, part = text.name.strip().lstrip("+-").partition(".")
    if not kind.expressions and (whole + part).isdigit():
        numbers = len(whole.lstrip("0") + part) or 1, len(part)
        kind.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(each)) for each in numbers])
    return exp.Cast(this=text, to=kind)


class _Written(Trino):
    INDEX_OFFSET = 0  # an index stays as it is written

    class Parser(TrinoParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parse
            for name, parse in TrinoParser.FUNCTION_PARSERS.items()
            if name in _WITH_A_GRAMMAR or name.startswith("JSON_")
        }
        TYPE_LITERAL_PARSERS: ClassVar[dict[Any, Any]] = {
            **TrinoParser.TYPE_LITERAL_PARSERS,
            exp.DType.DECIMAL: lambda _, this, to: _decimal(this, to),
        }


_DIALECT = _Written()


def written_tree(sql: str) -> exp.Expr:
    """The tree of one query that passed the gate."""
    parsed = _DIALECT.parser().parse(with_names_quoted(tokens_of(sql)), sql)
    return next(tree for tree in parsed if tree is not None and not isinstance(tree, exp.Semicolon))


def as_parsed(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    """A call as the parser itself reads it: for what is not proved, and is translated all the same."""
    known = Dialect.get_or_raise("trino").parser_class.FUNCTIONS.get(name.upper())
    if known is None:
        return exp.Anonymous(this=name, expressions=arguments)
    try:
        node: exp.Expr = known(arguments, dialect=Dialect.get_or_raise("trino"))
    except TypeError:
        node = known(arguments)
    return node
