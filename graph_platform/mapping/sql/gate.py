"""The gate for a definition's SQL: one query in Trino's dialect, and nothing that reaches past the tables.

What the same SQL is called on DuckDB is `graph_platform.warehouse.duckdb.translation`; whether its tables and columns
exist is the warehouse's to say.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise

import sqlglot
from sqlglot import Dialect, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from graph_platform.mapping.checks.problems import ProblemCode, problem
from graph_platform.mapping.checks.report import Problem
from graph_platform.mapping.sql.foreign import FILE_NAME, foreign_syntax, unread_syntax
from graph_platform.mapping.sql.free_words import with_names_quoted

DIALECT = "trino"
MAX_SQL_CHARACTERS = 500_000

# Scalar functions that look outside the query, on any of the warehouses. Functions in FROM are refused altogether.
FORBIDDEN_FUNCTIONS = frozenset(
    {
        *("current_setting", "set_config", "getvariable", "getenv", "nextval", "currval", "query", "query_table"),
        *("read_text", "read_blob", "read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "glob"),
        *("read_json_auto", "read_ndjson", "sniff_csv", "postgres_query", "mysql_query", "sqlite_scan", "write_log"),
        *("fail", "http_get", "pg_read_file", "json_execute_serialized_sql", "load_file"),
    }
)
_QUERIES = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)
_ACTIONS = (exp.DDL, exp.DML, exp.Command, exp.Into, exp.Copy, exp.Set, exp.Use, exp.Drop, exp.Pragma)
# What may stand in parentheses: a relation of any kind too, as in `(a JOIN b ON …)`.
_NESTED = (*_QUERIES, exp.Table, exp.Unnest, exp.Lateral)
_PARAMETERS = (exp.Placeholder, exp.Parameter, exp.SessionParameter)

_DEPTH = {
    **dict.fromkeys((TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE), 1),
    **dict.fromkeys((TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE), -1),
}
_SET_OPERATIONS = frozenset({TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT})
_ENDS_OF_ITEMS = frozenset(
    {
        *_SET_OPERATIONS,
        *(TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY, TokenType.LIMIT),
        *(TokenType.OFFSET, TokenType.FETCH, TokenType.SEMICOLON, TokenType.WINDOW),
    }
)
_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Words that Trino reserves and sqlglot's tokenizer takes for names; those that it knows need no list.
_RESERVED = frozenset(
    {
        *("BY", "CAST", "CURRENT_PATH", "CURRENT_ROLE", "DEALLOCATE", "EXTRACT", "GROUP", "GROUPING", "JSON_ARRAY"),
        *("JSON_EXISTS", "JSON_OBJECT", "JSON_QUERY", "JSON_TABLE", "JSON_VALUE", "LISTAGG", "NORMALIZE", "ORDER"),
        *("SKIP", "TRIM", "UESCAPE"),
    }
)
_WHOLE_NUMBER = re.compile(r"[0-9]+(?:_[0-9]+)+|0[xX](?:_?[0-9A-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+", re.ASCII)
_CLASS_NAME = re.compile(r"<class '[\w.]*?(\w+)'>")

# sqlglot logs a warning for every statement that it reads as a command; such a statement is refused anyway.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True, kw_only=True)
class Review:
    """What is known of a query before a warehouse is asked: why it cannot be, and what may be another value."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class CheckedQuery:
    """The outcome for one SQL text: its tree, or what is wrong with it."""

    sql: str
    tree: exp.Expr | None
    problems: tuple[Problem, ...] = ()


def check_query(sql: str, entity: str = "query") -> CheckedQuery:
    """Let exactly one query through.

    Args:
        sql: SELECT, WITH … SELECT, UNION, VALUES, TABLE in Trino's dialect; a `;` and comments may follow.
        entity: the definition that a problem names.
    """
    unreadable = _unreadable(sql, entity)
    if unreadable is not None:
        return CheckedQuery(sql, None, (unreadable,))
    try:
        glued = _glued(sql, tokens_of(sql))
        if glued is not None:
            return CheckedQuery(sql, None, (_begins_with_a_digit(*glued, sql, entity),))
        parsed = Dialect.get_or_raise(DIALECT).parser().parse(with_names_quoted(tokens_of(sql)), sql)
        trees = [t for t in parsed if t is not None and not isinstance(t, exp.Semicolon)]
        found = tuple(_problems(trees, sql, entity))
    except ParseError as error:
        return CheckedQuery(sql, None, tuple(_syntax(error, sql, entity)))
    except TokenError as error:
        message = f"the SQL ends inside a string, a name or a comment ({str(error).splitlines()[0][:200]})"
        hint = "close it: ' ends a text, \" a name, */ a comment"
        return CheckedQuery(sql, None, (problem(ProblemCode.SQL_SYNTAX, entity, message, field="sql", hint=hint),))
    except RecursionError:
        message = "the SQL is nested too deeply to be read"
        return CheckedQuery(sql, None, (problem(ProblemCode.SQL_TOO_COMPLEX, entity, message, field="sql"),))
    return CheckedQuery(sql, None if found else trees[0], found)


def _unreadable(sql: str, entity: str) -> Problem | None:
    """What is wrong with a text before its tokens are looked at."""
    if len(sql) > MAX_SQL_CHARACTERS:
        message = f"the SQL has {len(sql)} characters, more than {MAX_SQL_CHARACTERS}"
        return problem(ProblemCode.SQL_TOO_COMPLEX, entity, message, field="sql")
    if "\0" in sql:
        message, at = "the SQL has a NUL character", line_and_column(sql, sql.index("\0"))
        hint = "write it without the character U+0000, which no database keeps"
        return problem(ProblemCode.SQL_SYNTAX, entity, message, field="sql", hint=hint, position=at)
    return None


def _begins_with_a_digit(token: Token, following: Token, sql: str, entity: str) -> Problem:
    message = f"a name begins with a digit: {sql[token.start : following.end + 1]}"
    at = line_and_column(sql, token.start)
    hint = "put a space after the number, or the name in double quotes"
    return problem(ProblemCode.SQL_SYNTAX, entity, message, field="sql", hint=hint, position=at)


@lru_cache(maxsize=32)
def tokens_of(sql: str) -> tuple[Token, ...]:
    """The tokens of a text, which one check of it asks for several times: reading them is a good part of its cost.

    Raises:
        TokenError: a string, a name or a comment that is not closed.
    """
    return tuple(_with_whole_numbers(sql, sqlglot.tokenize(sql, read=DIALECT)))


def _with_whole_numbers(sql: str, tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with `1_000`, `0x1F`, `0o17` and `0b101` as the one number that Trino reads, where the parser's own
    reader sees a number and a name for it.
    """
    waiting = list(tokens)[::-1]
    while waiting:
        token = waiting.pop()
        if token.token_type in (TokenType.NUMBER, TokenType.HEX_STRING):
            end = token.end
            while (
                waiting
                and waiting[-1].start == end + 1
                and _WHOLE_NUMBER.fullmatch(sql, token.start, waiting[-1].end + 1)
            ):
                end = waiting.pop().end
            written = _WHOLE_NUMBER.fullmatch(sql, token.start, end + 1)
            if written is not None:
                value = int(written[0], 0 if written[0][1:2].isalpha() else 10)
                token = Token(TokenType.NUMBER, str(value), token.line, token.col, token.start, end, token.comments)
        yield token


def _glued(sql: str, tokens: Sequence[Token]) -> tuple[Token, Token] | None:
    """A number and a name at once after it: an alias for the parser, and nothing for Trino."""
    for token, following in pairwise(tokens):
        is_name = sql[following.start] == "_" or sql[following.start].isalpha()
        if token.token_type == TokenType.NUMBER and following.start == token.end + 1 and is_name:
            return token, following
    return None


def without_terminator(sql: str) -> str:
    """The SQL without its closing semicolons, so that it can stand in parentheses; comments stay where they are."""
    kept = sql
    tokens = list(tokens_of(sql))
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        at = tokens.pop().start
        kept = kept[:at] + " " + kept[at + 1 :]
    return kept


def identifier(name: str) -> str:
    """A name as Trino's SQL writes it: bare where that is the same name, else in double quotes."""
    plain = _BARE_NAME.fullmatch(name) and name.upper() not in _RESERVED
    if plain and [token.token_type for token in tokens_of(name)] == [TokenType.VAR]:
        return name
    return '"' + name.replace('"', '""') + '"'


def locate(sql: str, name: str) -> tuple[int, int] | None:
    """Line and column, both from 1, where `sql` speaks of `name`, quoted or not; None where it does not.

    A qualified name is found as `a.b`, else as `b` alone. Of several places, one that reads the name is taken before
    one that gives it, and a text of the same letters last.
    """
    try:
        tokens = tokens_of(sql)
    except TokenError:
        return None
    words = [token.text.lower() for token in tokens]
    for parts in dict.fromkeys(((name.lower(),), tuple(re.split(r"(\.)", name.lower())), (_last_part(name.lower()),))):
        found = [i for i in range(len(words)) if tuple(words[i : i + len(parts)]) == parts]
        if found:
            return line_and_column(sql, tokens[min(found, key=partial(_unlikely, tokens))].start)
    return None


def _unlikely(tokens: Sequence[Token], index: int) -> tuple[bool, bool, bool]:
    before = tokens[index - 1].token_type if index else None
    return tokens[index].token_type == TokenType.STRING, before == TokenType.ALIAS, before == TokenType.DOT


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


def item_positions(sql: str, count: int) -> tuple[tuple[int, int] | None, ...]:
    """Where each of the query's `count` result columns is written: line and column of its item, both from 1.

    None for the columns of a `*`, and for all where the query is not a plain SELECT.
    """
    return tuple(line_and_column(sql, item[0].start) if item else None for item in _column_items(sql, count))


def item_text(sql: str, count: int, index: int) -> str | None:
    """What the query writes for one of its `count` result columns, without its alias; None where that is not known."""
    item = _column_items(sql, count)[index]
    if not item or _is_set_operation(tokens_of(sql)):
        return None
    written = sql[item[0].start : item[-1].end + 1]
    try:
        aliased = isinstance(sqlglot.parse_one(f"SELECT {written}", read=DIALECT).expressions[0], exp.Alias)
    except (ParseError, TokenError, RecursionError):
        return None
    if not aliased:
        return written
    kept = item[:-2] if item[-2].token_type == TokenType.ALIAS else item[:-1]
    return sql[kept[0].start : kept[-1].end + 1]


def _is_set_operation(tokens: Sequence[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += _DEPTH.get(token.token_type, 0)
        if depth == 0 and token.token_type in _SET_OPERATIONS:
            return True
    return False


def _column_items(sql: str, count: int) -> list[list[Token] | None]:
    """The tokens of the item of each result column, as far as they are known."""
    unknown: list[list[Token] | None] = [None] * count
    try:
        items = _items(tokens_of(sql))
    except TokenError:
        return unknown
    stars = [index for index, item in enumerate(items) if item[-1].token_type == TokenType.STAR]
    if not items or (not stars and len(items) != count):
        return unknown
    head = stars[0] if stars else len(items)
    known = unknown[:]
    known[: min(head, count)] = items[: min(head, count)]
    # What follows a `*` is counted from the end.
    for back in range(1, len(items) - stars[-1] if stars else 0):
        known[-back] = items[-back]
    return known


def _items(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens of each item of the outermost SELECT, without what stands in other SELECTs."""
    depth, items, inside = 0, list[list[Token]](), False
    for token in tokens:
        depth += _DEPTH.get(token.token_type, 0)
        if depth == 0 and token.token_type in _ENDS_OF_ITEMS and inside:
            break
        if depth == 0 and token.token_type == TokenType.SELECT:
            inside = True
            items.append([])
        elif inside and depth == 0 and token.token_type == TokenType.COMMA:
            items.append([])
        elif inside and not (token.token_type in (TokenType.DISTINCT, TokenType.ALL) and items == [[]]):
            items[-1].append(token)
    return items if all(items) else []


def line_and_column(sql: str, offset: int) -> tuple[int, int]:
    """The place of a character, both from 1."""
    return sql.count("\n", 0, offset) + 1, offset - sql.rfind("\n", 0, offset)


def _syntax(error: ParseError, sql: str, entity: str) -> Iterator[Problem]:
    tokens = tokens_of(sql)
    places = {(token.line, token.col): index for index, token in enumerate(tokens)}
    for found in error.errors:
        at = places.get((found.get("line") or 0, found.get("col") or 0))
        known = None if at is None else unread_syntax(tokens, at)
        if known:
            message, place = f"the SQL is not Trino's: {known.what}", line_and_column(sql, known.token.start)
            yield problem(ProblemCode.SQL_SYNTAX, entity, message, field="sql", hint=known.hint, position=place)
            continue
        highlight = str(found.get("highlight") or "")
        near = f" near {highlight}" if highlight else ""
        line, end = found.get("line"), found.get("col")
        position = None
        if line and end:
            position = (line, max(1, end - len(highlight.rpartition("\n")[2]) + 1))
        described = _CLASS_NAME.sub(r"\1", str(found.get("description") or "not understood"))
        message = f"the SQL cannot be parsed{near}: {described.rstrip('.')}"
        yield problem(ProblemCode.SQL_SYNTAX, entity, message, field="sql", position=position)


def _problems(trees: list[exp.Expr], sql: str, entity: str) -> Iterator[Problem]:
    if not trees:
        yield problem(ProblemCode.SQL_EMPTY, entity, "there is no SQL", field="sql")
        return
    if len(trees) > 1:
        second = next(_statement_starts(sql), None)
        message = f"{len(trees)} statements where one query is wanted"
        yield problem(ProblemCode.SQL_MULTIPLE_STATEMENTS, entity, message, field="sql", position=second)
        return
    tree = trees[0]
    root = tree
    while isinstance(root, exp.Subquery):
        root = root.this
    action = next(tree.find_all(*_ACTIONS), None)
    if not isinstance(root, _QUERIES) or action is not None:
        word = tokens_of(sql)[0].text.upper()
        what = "SELECT … INTO" if isinstance(action, exp.Into) else word
        if isinstance(root, _QUERIES) and not isinstance(action, exp.Into) and action is not None:
            what = action.key.upper()
        message = f"{what} is not a query"
        yield problem(ProblemCode.SQL_NOT_A_QUERY, entity, message, field="sql", position=locate(sql, word))
        return
    for found in foreign_syntax(tree, with_names_quoted(tokens_of(sql))):
        message = f"the SQL is not Trino's: {found.what}"
        at = line_and_column(sql, found.token.start)
        yield problem(ProblemCode.SQL_SYNTAX, entity, message, field="sql", hint=found.hint, position=at)
    for node in tree.walk():
        yield from _node(node, sql, entity)


def _statement_starts(sql: str) -> Iterator[tuple[int, int]]:
    tokens = tokens_of(sql)
    for before, token in pairwise(tokens):
        if before.token_type == TokenType.SEMICOLON and token.token_type != TokenType.SEMICOLON:
            yield line_and_column(sql, token.start)


def _node(node: exp.Expr, sql: str, entity: str) -> Iterator[Problem]:
    # In quotes, `$path` and its like are hidden columns of Trino's.
    named = isinstance(node, exp.Identifier) and node.name.startswith("$") and not node.args.get("quoted")
    if isinstance(node, _PARAMETERS) or named:
        message = f"{node.sql(dialect=DIALECT)} is a placeholder, and a mapping has no values for one"
        yield problem(ProblemCode.SQL_PARAMETER, entity, message, field="sql")
    elif isinstance(node, exp.TableFromRows):
        yield _forbidden("table", sql, entity)
    elif isinstance(node, (exp.Subquery, exp.CTE)) and not isinstance(node.this, _NESTED):
        what = node.this.key.upper()
        message = f"{what} is not a query"
        yield problem(ProblemCode.SQL_NOT_A_QUERY, entity, message, field="sql", position=locate(sql, what))
    elif isinstance(node, exp.Lateral) and not (isinstance(node.this, exp.Subquery) or node.args.get("view")):
        yield _forbidden(function_name(node.this), sql, entity)
    elif isinstance(node, exp.Table):
        if isinstance(node.this, exp.Func) or (isinstance(node.this, exp.Dot) and node.this.find(exp.Func)):
            yield _forbidden(function_name(node.this), sql, entity)
        for part in node.parts:
            if isinstance(part, exp.Identifier) and FILE_NAME.search(part.name):
                yield problem(
                    ProblemCode.SQL_TABLE_NOT_ALLOWED,
                    entity,
                    f"{part.name!r} is the name of a file, not of a table",
                    field="sql",
                    hint="query a table of the warehouse",
                    position=locate(sql, part.name),
                )
    elif _is_forbidden(node):
        yield _forbidden(function_name(node), sql, entity)


def _is_forbidden(node: exp.Expr) -> bool:
    called = isinstance(node, exp.Func) and not isinstance(node.parent, exp.Table)
    return called and function_name(node) in FORBIDDEN_FUNCTIONS


def _forbidden(name: str, sql: str, entity: str) -> Problem:
    shown = "TABLE(…)" if name == "table" else name
    return problem(
        ProblemCode.SQL_FUNCTION_NOT_ALLOWED,
        entity,
        f"{shown} reaches past the warehouse's tables",
        field="sql",
        hint="in FROM, only tables, subqueries, VALUES and UNNEST are allowed",
        position=locate(sql, name),
    )


def function_name(node: exp.Expr) -> str:
    """The name of a function call in lower case, as SQL writes it."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    if isinstance(node, exp.Dot):
        return function_name(node.expression)
    if isinstance(node, exp.JSONTable):
        return "json_table"  # else made from the class's name, letter by letter
    return node.sql_name().lower() if isinstance(node, exp.Func) else node.key
