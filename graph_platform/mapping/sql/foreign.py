"""What the parser reads though Trino does not: other dialects' syntax, each with what Trino has instead.

DuckDB would take nearly all of it, so that a mapping that holds on a laptop would be refused by the cluster; here it is
refused on both. Only what Trino's grammar has no room for belongs here; names of functions and tables do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from graph_platform.mapping.sql.free_words import ENDS, TEXTS

FILE_NAME = re.compile(
    r"[/\\*?]|://|^~|\.(csv|tsv|txt|json|ndjson|jsonl|parquet|orc|avro|arrow|xlsx|db|duckdb|sqlite|gz|zst)$",
    re.IGNORECASE,
)
"""What names a file where a table should be named."""

_TEXT, _NUMBER, _END = "a text", "a number", "the end"
# Not LIMIT and OFFSET, which may be names in Trino.
_ENDS_OF_A_LIST = (")", "FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "UNION", ";", _END)


@dataclass(frozen=True)
class Foreign:
    """A construct of another dialect: what it is, what to write instead, and the token where it stands."""

    what: str
    hint: str
    token: Token


@dataclass(frozen=True)
class _Words:
    """A sequence of tokens, each one of some words; `at` is the one to point to.

    In the hint, `{0}` is the first of the tokens, `{before}` and `{after}` those around the sequence.
    """

    words: tuple[tuple[str, ...], ...]
    what: str
    hint: str
    at: int = 0


@dataclass(frozen=True)
class _Node:
    """A kind of node, looked at by a function, and the words of which the first that occurs is pointed to.

    Where the words are names of functions or columns too, `behind` or `ahead` is what stands before or after them.
    """

    kind: type[exp.Expr]
    is_foreign: Callable[[exp.Expr], bool]
    words: tuple[str, ...]
    what: str
    hint: str
    behind: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()


_WORDS = (
    _Words((("::",),), "{0} is no cast of Trino's", "write CAST({before} AS {after})"),
    _Words(
        (("LIMIT",), (_NUMBER,), ("OFFSET",), (_NUMBER,)),
        "Trino wants OFFSET before LIMIT",
        "write OFFSET {3} LIMIT {1}",
        at=2,
    ),
    _Words(
        (("LIMIT",), (_NUMBER,), (",",), (_NUMBER,)),
        "Trino's LIMIT has one number",
        "write OFFSET {1} LIMIT {3}",
        at=2,
    ),
    _Words((("LIMIT", "OFFSET"), ("(",)), "Trino's {0} takes a number alone", "write the number"),
    _Words(((",",), _ENDS_OF_A_LIST), "nothing follows the comma", "leave the comma out"),
    _Words((("==",),), "Trino has no operator ==", "write ="),
    _Words((("<=>",),), "Trino has no operator <=>", "write IS NOT DISTINCT FROM"),
    _Words((("&",),), "Trino has no operator &", "write bitwise_and({before}, {after})"),
    _Words((("|",),), "Trino has no operator |", "write bitwise_or({before}, {after}), or || to join texts"),
    _Words((("^",),), "Trino has no operator ^", "write power({before}, {after}) or bitwise_xor({before}, {after})"),
    _Words((("~",),), "Trino has no operator ~", "write bitwise_not({after})"),
    _Words((("~~",),), "Trino has no operator ~~", "write LIKE"),
    _Words((("<",), ("<",)), "Trino has no operator <<", "write bitwise_left_shift({before}, {after})"),
    _Words((("!",),), "Trino has no operator !", "write NOT"),
    _Words((("DIV",), (_NUMBER,)), "Trino has no operator DIV", "write / between whole numbers"),
    _Words((("->>",),), "Trino has no operator ->>", "write json_extract_scalar({before}, '$.…')"),
    _Words((("{",),), "Trino has no values in braces", "write MAP(ARRAY[…], ARRAY[…]) or ROW(…)"),
    _Words((("AS",), (_TEXT,)), "a name stands in double quotes", "write AS name, without the quotes of a text", at=1),
    _Words(((_TEXT,), (_TEXT,)), "two texts stand side by side", "join them with ||", at=1),
    _Words((("INTERVAL",), (_NUMBER,)), "the number of an interval is a text", "write INTERVAL '{1}' {after}", at=1),
    _Words((("CURRENT_DATE",), ("(",)), "current_date has no parentheses", "write current_date", at=1),
    _Words((("IS",), ("TRUE",)), "Trino has no IS TRUE", "write COALESCE(…, false)", at=1),
    _Words((("IS",), ("FALSE",)), "Trino has no IS FALSE", "write NOT COALESCE(…, true)", at=1),
    _Words((("IS",), ("NOT",), ("TRUE",)), "Trino has no IS NOT TRUE", "write NOT COALESCE(…, false)", at=2),
    _Words((("IS",), ("NOT",), ("FALSE",)), "Trino has no IS NOT FALSE", "write COALESCE(…, true)", at=2),
    _Words((("ILIKE",),), "Trino has no ILIKE", "write lower(…) LIKE lower(…)"),
    _Words((("GLOB",),), "Trino has no GLOB", "write LIKE or regexp_like(…, …)"),
    _Words((("RLIKE", "REGEXP"),), "Trino has no such operator", "write regexp_like(…, …)"),
    _Words((("ISNULL",),), "Trino has no ISNULL", "write IS NULL"),
    _Words((("NOTNULL",),), "Trino has no NOTNULL", "write IS NOT NULL"),
    _Words(
        (("AS",), ("MATERIALIZED",), ("(",), ("SELECT", "WITH", "VALUES", "TABLE", "(")),
        "Trino has no AS MATERIALIZED",
        "leave the word out",
        at=1,
    ),
    _Words((("ONLY",), ("OFFSET",)), "Trino wants OFFSET before FETCH", "write OFFSET … ROWS FETCH …", at=1),
    _Words(
        (("DISTINCT",), ("ON",)),
        "Trino has no DISTINCT ON",
        "number the rows with row_number() OVER (PARTITION BY … ORDER BY …) and keep the first",
    ),
    _Words((("FOR",), ("UPDATE", "SHARE")), "Trino locks no rows", "leave {0} {1} out"),
    _Words(
        (("NATURAL",), ("JOIN", "INNER", "LEFT", "RIGHT", "FULL")),
        "Trino has no NATURAL JOIN",
        "write JOIN … USING (…)",
    ),
    _Words((("USING",), ("SAMPLE",)), "Trino has no USING SAMPLE", "write FROM … TABLESAMPLE BERNOULLI (10)", at=1),
    _Words((("USING",), ("(",), (_TEXT,)), "a name stands in double quotes", "write the name without quotes", at=2),
    _Words((("BERNOULLI", "SYSTEM"), ("(",), (_NUMBER,), ("%",)), "Trino samples by a number", "write {0} ({2})", at=3),
    _Words((("USING",), ("KEY",)), "Trino has no USING KEY", "leave it out", at=1),
    _Words((("LATERAL",), ("VIEW",)), "Trino has no LATERAL VIEW", "write CROSS JOIN UNNEST(…)"),
)

_NODES = (
    _Node(
        exp.Between,
        lambda between: between.args.get("symmetric") is not None,
        ("SYMMETRIC", "ASYMMETRIC"),
        "Trino's BETWEEN has the lower bound first",
        "write x BETWEEN least(a, b) AND greatest(a, b)",
        behind=("BETWEEN",),
    ),
    _Node(exp.SimilarTo, lambda _: True, ("SIMILAR TO",), "Trino has no SIMILAR TO", "write regexp_like(…, …)"),
    _Node(
        exp.Star,
        lambda star: any(star.args.get(name) for name in ("except_", "replace", "rename")),
        ("EXCEPT", "EXCLUDE", "REPLACE", "RENAME"),
        "Trino's * is always all columns",
        "name the columns",
        behind=("*",),
    ),
    _Node(
        exp.Group,
        lambda group: bool(group.args.get("all")) and not group.expressions,
        ("GROUP BY",),
        "Trino has no GROUP BY ALL",
        "name the columns",
        ahead=("ALL",),
    ),
    _Node(
        exp.Join,
        lambda join: join.args.get("kind") in ("SEMI", "ANTI"),
        ("SEMI", "ANTI"),
        "Trino has no such join",
        "write WHERE EXISTS (SELECT 1 …) or WHERE NOT EXISTS (SELECT 1 …)",
    ),
    _Node(
        exp.Join,
        lambda join: join.args.get("method") in ("ASOF", "POSITIONAL"),
        ("ASOF", "POSITIONAL"),
        "Trino has no such join",
        "write a JOIN with a window function",
    ),
    _Node(exp.Pivot, lambda _: True, ("PIVOT", "UNPIVOT"), "Trino has no PIVOT", "write … FILTER (WHERE …) per column",
          ahead=("(",)),
    _Node(
        exp.TableSample,
        lambda sample: sample.args.get("method") is None,
        ("TABLESAMPLE",),
        "Trino wants to know how to sample",
        "write TABLESAMPLE BERNOULLI (10)",
        ahead=("(", _NUMBER),
    ),
    _Node(
        exp.LimitOptions,
        lambda options: bool(options.args.get("percent")),
        ("PERCENT", "%"),
        "Trino's LIMIT is a number of rows",
        "write a number",
        behind=(_NUMBER, ")"),
    ),
    _Node(exp.SetOperation, lambda union: bool(union.args.get("by_name")), ("BY",), "Trino has no BY NAME",
          "write the columns in one order", ahead=("NAME",)),
    _Node(
        exp.Select,
        lambda select: any(select.args.get(name) for name in ("sort", "cluster", "distribute")),
        ("SORT BY", "CLUSTER BY", "DISTRIBUTE BY"),
        "Trino has only ORDER BY",
        "write ORDER BY",
    ),
    _Node(
        exp.Any,
        lambda any_of: not isinstance(any_of.this, (exp.Query, exp.Subquery)),
        ("ANY", "SOME"),
        "Trino's ANY takes a query",
        "write contains(ARRAY[…], …), or any_match(ARRAY[…], x -> …)",
    ),
    _Node(
        exp.Anonymous,
        lambda called: called.name.upper() == "ALL" and not isinstance(called.expressions[0], exp.Values),
        ("ALL",),
        "Trino's ALL takes a query",
        "write all_match(ARRAY[…], x -> …)",
        ahead=("(",),
    ),
    _Node(
        exp.In,
        lambda among: among.args.get("field") is not None,
        ("IN",),
        "Trino's IN takes a list in parentheses, or a query",
        "write contains(…, …) for an array",
    ),
    _Node(
        exp.JSONExtract,
        lambda extract: extract.args.get("only_json_types") is not None,
        ("->",),
        "Trino has no operator ->",
        "write json_extract(…, '$.…')",
    ),
    _Node(
        exp.Unnest,
        lambda unnest: not isinstance(unnest.parent, (exp.From, exp.Join, exp.Subquery)),
        ("UNNEST",),
        "Trino's UNNEST stands in FROM",
        "write … CROSS JOIN UNNEST(…) AS u(x)",
    ),
    _Node(exp.Comprehension, lambda _: True, ("FOR",), "Trino makes no lists so", "write transform(…, x -> …)"),
    _Node(exp.Collate, lambda _: True, ("COLLATE",), "Trino has no COLLATE", "leave it out"),
    _Node(exp.Slice, lambda _: True, (":",), "Trino has no slices", "write substr(…, …, …) or slice(…, …, …)"),
)  # fmt: skip

_KINDS = tuple({kind.kind for kind in _NODES})

# The types of other warehouses that are written most often, as they stand in a cast.
_TYPES = {
    **dict.fromkeys(("TEXT", "STRING", "NVARCHAR", "BPCHAR"), "VARCHAR"),
    **dict.fromkeys(("INT64", "INT8", "LONG", "HUGEINT"), "BIGINT"),
    **dict.fromkeys(("INT32", "INT4"), "INTEGER"),
    **dict.fromkeys(("FLOAT", "FLOAT4"), "REAL"),
    **dict.fromkeys(("FLOAT64", "FLOAT8"), "DOUBLE"),
    **dict.fromkeys(("NUMERIC", "NUMBER", "BIGNUMERIC"), "DECIMAL(p, s)"),
    **dict.fromkeys(("BLOB", "BYTES", "BYTEA", "BINARY"), "VARBINARY"),
    **dict.fromkeys(("BOOL",), "BOOLEAN"),
    **dict.fromkeys(("DATETIME", "TIMESTAMP_NTZ"), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP_TZ"), "TIMESTAMP WITH TIME ZONE"),
    "STRUCT": "ROW(name type, …)",
}
# Those of Trino 476, with its plugins for geometry and machine learning.
_TYPES_OF_TRINO = frozenset(
    {
        *("ARRAY", "BIGINT", "BINGTILE", "BOOLEAN", "CHAR", "COLOR", "DATE", "DEC", "DECIMAL", "DOUBLE", "GEOMETRY"),
        *("HYPERLOGLOG", "INT", "INTEGER", "INTERVAL", "IPADDRESS", "JONIREGEXP", "JSON", "JSON2016", "JSONPATH"),
        *("KDBTREE", "MAP", "P4HYPERLOGLOG", "QDIGEST", "RE2JREGEXP", "REAL", "ROW", "SETDIGEST", "SMALLINT"),
        *("SPHERICALGEOGRAPHY", "TDIGEST", "TIME", "TIMESTAMP", "TINYINT", "UNKNOWN", "UUID", "VARBINARY", "VARCHAR"),
    }
)
# Kinds that no type of Trino's is read as, to see those that stand inside others: `CAST(x AS ROW(a BIT))`.
_FOREIGN_KINDS = frozenset(
    {
        *(exp.DType.BIGDECIMAL, exp.DType.BIT, exp.DType.ENUM, exp.DType.ENUM8, exp.DType.ENUM16, exp.DType.INT128),
        *(exp.DType.INT256, exp.DType.LIST, exp.DType.MEDIUMINT, exp.DType.UBIGINT, exp.DType.UINT, exp.DType.UINT128),
        *(exp.DType.UINT256, exp.DType.UNION, exp.DType.USMALLINT, exp.DType.UTINYINT, exp.DType.VARIANT),
        *(exp.DType.TIMESTAMP_MS, exp.DType.TIMESTAMP_NS, exp.DType.TIMESTAMP_S, exp.DType.TIME_NS),
    }
)
_SIGNS = frozenset({*"()[]},.;:?+-*/%=<>", "||", "<>", "!=", "<=", ">=", "->", "=>"})
"""What Trino's language writes with signs, outside of row patterns; of braces the one that opens them is told."""

_BEFORE_AN_INDEX = ENDS | {TokenType.ARRAY, TokenType.ROW}
_UNITS = frozenset(("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"))
_OTHER_UNITS = {
    "WEEK": "days: INTERVAL '7' DAY",
    "QUARTER": "months: INTERVAL '3' MONTH",
    "DECADE": "years: INTERVAL '10' YEAR",
    "CENTURY": "years: INTERVAL '100' YEAR",
    "MILLENNIUM": "years: INTERVAL '1000' YEAR",
    "MILLISECOND": "seconds: INTERVAL '0.001' SECOND",
    "MICROSECOND": "seconds: INTERVAL '0.001' SECOND, which is the least",
}
_BY_FIRST_WORD = {
    word: tuple(sequence for sequence in _WORDS if word in sequence.words[0])
    for word in {word for sequence in _WORDS for word in sequence.words[0]}
}


# What the parser cannot read either, and reports as a token that it did not expect.
_UNREAD = (
    _Words((("`",),), "Trino has no names in backticks", 'write "{after}": a name stands in double quotes'),
    _Words((("FROM", "JOIN", ",", "."), ("[",)), "Trino has no names in brackets", 'write "{after}"', at=1),
    _Words((("SELECT",), ("TOP",), (_NUMBER,)), "Trino has no TOP", "write LIMIT {2} at the end", at=1),
    _Words((("~",), (_TEXT,)), "Trino has no operator ~", "write regexp_like({before}, '…')"),
    _Words((("SAMPLE",), (_NUMBER, "(")), "Trino has no SAMPLE", "write TABLESAMPLE BERNOULLI (…)"),
    _Words(
        (("QUALIFY",),),
        "Trino has no QUALIFY",
        "number the rows in a query inside: SELECT … FROM (SELECT …, row_number() OVER (…) AS n FROM …) WHERE n = 1",
    ),
)
_BEFORE_AN_ERROR = 2  # tokens: the parser stumbles over what follows a word that it took for a name


def unread_syntax(tokens: Sequence[Token], error: int) -> Foreign | None:
    """The construct of another dialect that made the parser give up; None if it is none that is known.

    Args:
        error: the index of the token that the parser did not expect.
    """
    words = [_word(token) for token in tokens]
    for start in range(max(0, error - _BEFORE_AN_ERROR), error + 1):
        for sequence in _UNREAD:
            if _stands_at(words, start, sequence):
                return _foreign(sequence, tokens, start)
    return None


def foreign_syntax(tree: exp.Expr, tokens: Sequence[Token]) -> Iterator[Foreign]:
    """What of a query that the parser took Trino would not take, by words first, then by nodes.

    What is only not on a list of Trino's is told where nothing else says what it is.

    Args:
        tokens: the tokens that the tree was made from, names quoted by `with_names_quoted`.
    """
    if tree.find(exp.MatchRecognize):
        return  # a row pattern has signs of its own
    words = [*(_word(token) for token in tokens), _END]
    known = [*_known(tree, tokens, words), *_types(tree, tokens, words), *_intervals(tokens, words)]
    known += [*_filters(tree, tokens, words), *_joins(tokens, words)]
    yield from known
    if not known:
        yield from _signs(tree, tokens, words)
        yield from _texts_as_names(tree, tokens)
        yield from _queries_without_select(tree, tokens, words)


def _known(tree: exp.Expr, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    """The constructs of the tables above."""
    for start, word in enumerate(words):
        for sequence in _BY_FIRST_WORD.get(word, ()):
            if _stands_at(words, start, sequence):
                yield _foreign(sequence, tokens, start)
    if tokens and words[0] == "FROM":
        yield Foreign("a query begins with SELECT in Trino", "write SELECT … FROM", tokens[0])
    nodes = [node for node in tree.walk() if isinstance(node, _KINDS)]
    for kind in _NODES:
        if any(isinstance(node, kind.kind) and kind.is_foreign(node) for node in nodes):
            # None where it is something else that the parser reads as the same node.
            index = next((index for index in range(len(tokens)) if _points_to(kind, words, index)), None)
            if index is not None:
                yield Foreign(kind.what, kind.hint, tokens[index])


def _points_to(kind: _Node, words: Sequence[str], index: int) -> bool:
    return (
        words[index] in kind.words
        and (not kind.behind or words[index - 1] in kind.behind)
        and (not kind.ahead or words[index + 1] in kind.ahead)
    )


def _signs(tree: exp.Expr, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    """Signs that are on no list: what the parser makes of one may be nothing, as of the @ in `a <@ ARRAY[1]`."""
    # What it takes for a placeholder is told as one.
    listed = _SIGNS | set(_BY_FIRST_WORD) | ({"@"} if tree.find(exp.Parameter) else set())
    for index, token in enumerate(tokens):
        plain = words[index] in (_TEXT, _NUMBER, '"') or token.text[:1].isalpha() or token.text[:1] in "_$"
        if not plain and words[index] not in listed:
            yield Foreign(f"Trino has no sign {token.text}", "write a function of Trino's", token)
        elif words[index] == "[" and tokens[index - 1].token_type not in _BEFORE_AN_INDEX and words[index - 2] != ".":
            yield Foreign("Trino has no values in brackets alone", "write ARRAY[…]", token)


def _texts_as_names(tree: exp.Expr, tokens: Sequence[Token]) -> Iterator[Foreign]:
    """`FROM 't'`, `USING ('id')`: the parser takes a text for a name where only a name may stand."""
    texts = {token.start: token for token in tokens if token.token_type in TEXTS}
    for name in tree.find_all(exp.Identifier):
        token = texts.get(name.meta.get("start", -1))
        # The name of a file is told as one, whatever stands around it.
        if token is not None and not (isinstance(name.parent, exp.Table) and FILE_NAME.search(name.name)):
            yield Foreign("a name stands in double quotes", f'write "{token.text}"', token)


def _queries_without_select(tree: exp.Expr, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    """`(FROM t)`, told by numbers: FROM after a parenthesis stands in `trim(FROM x)` too."""
    written = sum(token.token_type in (TokenType.SELECT, TokenType.TABLE) for token in tokens)
    if words[0] == "FROM" or written >= sum(1 for _ in tree.find_all(exp.Select)):
        return
    starts = ("(", ")", "UNION", "EXCEPT", "INTERSECT", "ALL", "DISTINCT")
    index = next((i for i in range(1, len(tokens)) if words[i] == "FROM" and words[i - 1] in starts), None)
    if index is not None:
        yield Foreign("a query begins with SELECT in Trino", "write SELECT … FROM", tokens[index])


def _filters(tree: exp.Expr, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    at = [index for index in range(len(tokens) - 2) if words[index : index + 2] == ["FILTER", "("]]
    with_where = [index for index in at if words[index + 2] == "WHERE"]
    if sum(1 for _ in tree.find_all(exp.Filter)) > len(with_where):
        first = next(index for index in at if index not in with_where and words[index - 1] == ")")
        yield Foreign("FILTER wants WHERE in Trino", "write FILTER (WHERE …)", tokens[first])


def _types(tree: exp.Expr, tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    opened: list[bool] = []  # for each parenthesis around a token, whether it is that of a cast
    typed: list[bool] = []  # and whether the type has begun
    found = False
    for index, token in enumerate(tokens):
        if words[index] == "(":
            opened.append(index > 0 and words[index - 1] in ("CAST", "TRY_CAST"))
            typed.append(False)
        elif words[index] == ")" and opened:
            opened.pop()
            typed.pop()
        elif opened and opened[-1] and words[index - 1] == "AS":
            typed[-1] = True
            name = token.text.upper().split()[0] if token.text.strip() else ""
            if name not in _TYPES_OF_TRINO:
                found = True
                hint = f"write {_TYPES[name]}" if name in _TYPES else "write one of Trino's, such as VARCHAR or BIGINT"
                yield Foreign(f"Trino has no type {token.text}", hint, token)
        elif words[index] == "[" and typed and typed[-1] and words[index - 1] != "ARRAY":
            found = True
            yield Foreign("Trino has no type with brackets", f"write ARRAY({tokens[index - 1].text})", token)
    foreign = next((each for each in tree.find_all(exp.DataType) if each.this in _FOREIGN_KINDS), None)
    cast = next((index for index, word in enumerate(words) if word in ("CAST", "TRY_CAST")), None)
    if foreign is not None and cast is not None and not found:
        hint = "write one of Trino's, such as VARCHAR or BIGINT"
        yield Foreign(f"Trino has no type {foreign.this.value}", hint, tokens[cast])


def _intervals(tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    for index in range(len(tokens) - 1):
        if words[index] != "INTERVAL":
            continue
        at = index + 1 + (words[index + 1] in ("+", "-"))
        unit = at + 1
        if words[at] != _TEXT or words[unit] in _UNITS:
            continue
        named = tokens[unit].text if tokens[at + 1 :] else ""
        singular = named.upper().removesuffix("S")
        if singular in _UNITS:
            yield Foreign(f"Trino has no unit {named}", f"write INTERVAL '{tokens[at].text}' {singular}", tokens[unit])
        elif singular in _OTHER_UNITS:
            yield Foreign(f"Trino has no unit {named}", f"write {_OTHER_UNITS[singular]}", tokens[unit])
        else:
            yield Foreign("the unit of an interval stands behind its text", "write INTERVAL '1' DAY", tokens[at])


def _joins(tokens: Sequence[Token], words: Sequence[str]) -> Iterator[Foreign]:
    """Each JOIN that has to have a condition and has none; an ON belongs to the last JOIN that waits for one."""
    waiting: list[list[int]] = [[]]  # for each parenthesis around a token
    for index, word in enumerate(words):
        if word == "(":
            waiting.append([])
        elif word == "JOIN" and not _joins_all(words, index):
            waiting[-1].append(index)
        elif word in ("ON", "USING") and waiting[-1]:
            waiting[-1].pop()
        elif word in (")", _END):
            for at in waiting.pop() if word == _END or len(waiting) > 1 else ():
                yield Foreign("Trino wants to know what to join on", "write JOIN … ON …, or CROSS JOIN", tokens[at])


def _joins_all(words: Sequence[str], index: int) -> bool:
    """Whether a JOIN is a CROSS or a NATURAL one."""
    while words[index - 1] in ("INNER", "OUTER", "LEFT", "RIGHT", "FULL"):
        index -= 1
    return words[index - 1] in ("CROSS", "NATURAL")


def _stands_at(words: Sequence[str], start: int, sequence: _Words) -> bool:
    end = start + len(sequence.words)
    return end <= len(words) and all(
        found in among for found, among in zip(words[start:end], sequence.words, strict=True)
    )


def _foreign(sequence: _Words, tokens: Sequence[Token], start: int) -> Foreign:
    end = start + len(sequence.words)
    texts = [token.text for token in tokens[start:end]]
    around = {"before": _operand(tokens, start - 1), "after": _operand(tokens, end)}
    at = tokens[start + sequence.at]
    return Foreign(sequence.what.format(*texts), sequence.hint.format(*texts, **around), at)


def _word(token: Token) -> str:
    if token.token_type in TEXTS:
        return _TEXT
    if token.token_type == TokenType.NUMBER:
        return _NUMBER
    # A name in quotes is no word of the language.
    return '"' if token.token_type == TokenType.IDENTIFIER else token.text.upper()


def _operand(tokens: Sequence[Token], index: int) -> str:
    """A token as an example shows it, `…` where it is not a name or a number."""
    if not 0 <= index < len(tokens) or tokens[index].token_type in (TokenType.STRING, TokenType.IDENTIFIER):
        return "…"
    text = tokens[index].text
    return text if text.isidentifier() or text.isdigit() else "…"
