"""The gate in front of an engine: which Cypher a reader or a writer may send. Decided from the text alone.

It must come before `EXPLAIN`, because binding a statement already opens the files that it names, and a database opened
read-only still reads and writes files (`LOAD FROM`, `COPY … TO`, `EXPORT DATABASE`, `INSTALL`). A keyword is told from
a name by its position; where that is not certain the statement is refused, with the advice to quote by backticks. The
second line, `check_operators`, looks at the plan that the engine made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from graph_platform.engine.functions import FUNCTIONS, TABLE_FUNCTIONS, TYPES, words
from graph_platform.engine.lexer import Kind, Token, tokens
from graph_platform.engine.limits import check_limits
from graph_platform.errors import ErrorCode, PlatformError

Access = Literal["read", "write"]

READ_STARTS = frozenset({"MATCH", "OPTIONAL", "UNWIND", "WITH", "RETURN", "CALL"})
WRITE_STARTS = READ_STARTS | {"CREATE", "MERGE", "ALTER", "DROP"}
WRITING_CLAUSES = frozenset({"CREATE", "MERGE", "SET", "DELETE", "DETACH", "ALTER", "DROP"})
NEVER = words(
    "LOAD COPY EXPORT IMPORT INSTALL UNINSTALL ATTACH UPDATE FOREACH REMOVE CHECKPOINT ANALYZE EXPLAIN PROFILE"
)
"""Words that begin a clause or statement which nobody may send; as names they have to be quoted where it is unclear."""

_BEFORE_BRACKET = words(
    "MATCH WHERE AND OR XOR NOT IN RETURN WITH UNWIND BY WHEN THEN ELSE CASE DISTINCT ON CONTAINS HINT JOIN LIMIT SKIP "
    "EXISTS SHORTEST WSHORTEST TRAIL ACYCLIC ALL AS CREATE MERGE SET DELETE IS UNION YIELD END"
)

_PLAIN_OPERATORS = words(
    "AGGREGATE AGGREGATE_FINALIZE AGGREGATE_SCAN COUNT_REL_TABLE CROSS_PRODUCT DUMMY_SCAN DUMMY_SINK DUMMY_SIMPLE_SINK "
    "EMPTY_RESULT EXPRESSIONS_SCAN FILTER FLATTEN HASH_JOIN_BUILD HASH_JOIN_PROBE INDEX_LOOKUP INTERSECT "
    "INTERSECT_BUILD LIMIT MULTIPLICITY_REDUCER ORDER_BY ORDER_BY_MERGE ORDER_BY_SCAN PATH_PROPERTY_PROBE "
    "PRIMARY_KEY_SCAN_NODE_TABLE PROJECTION RECURSIVE_EXTEND RESULT_COLLECTOR SCAN_NODE_TABLE SCAN_REL_TABLE "
    "SEMI_MASKER SKIP TABLE_FUNCTION_CALL TOP_K TOP_K_SCAN UNION_ALL_SCAN UNWIND UNWIND_DEDUPLICATE"
)
READING_OPERATORS = _PLAIN_OPERATORS | {
    f"TABLE_FUNCTION_CALL:{name}" for name in (*TABLE_FUNCTIONS, "READ_FTABLE", "SHOW_TABLES")
}
WRITING_OPERATORS = READING_OPERATORS | words(
    "INSERT MERGE SET_PROPERTY DELETE DELETE_NODE DELETE_REL SET_NODE_PROPERTY SET_REL_PROPERTY CREATE_TABLE ALTER DROP"
)
_READING_WORDS = words(
    "SCAN LOOKUP JOIN PROBE EXTEND COUNT AGGREGATE FILTER LIMIT SKIP ORDER TOP UNWIND INTERSECT DEGREES"
)
_ACTING_WORDS = words(
    "COPY EXPORT IMPORT INSTALL UNINSTALL LOAD EXTENSION ATTACH DETACH USE DATABASE CREATE DROP ALTER INSERT DELETE "
    "SET BATCH WRITE CHECKPOINT TRANSACTION STANDALONE CALL MACRO SEQUENCE TYPE INDEX PARTITIONER FILE CSV PARQUET JSON"
)
OPERATORS: dict[Access, frozenset[str]] = {"read": READING_OPERATORS, "write": WRITING_OPERATORS}

_TITLE = re.compile(r"[│|]\s*([A-Z_]+)\[[0-9]+\]\s*(?=[│|])")
_FUNCTION = re.compile(r"Function:\s*([A-Za-z_0-9]+)")


@dataclass(frozen=True)
class Statement:
    """A statement that may be run. `text` is what to send: the tokens as written, comments taken out.

    `subject` is the same without `EXPLAIN` or `PROFILE` in front; `writes` tells whether it has a writing clause;
    `parameters` are the names after `$`. The engines take one that nobody gave for NULL, so the caller compares.
    """

    text: str
    subject: str
    writes: bool
    parameters: frozenset[str]


def check_statement(text: str, access: Access) -> Statement:
    """Decide whether a reader or a writer may send this text.

    Raises:
        PlatformError: PERMISSION_DENIED for a clause, function or setting that is not allowed; QUERY_ERROR for text
            that is empty, several statements, not Cypher at all, or too much for a planner.
    """
    found = list(tokens(text))
    if found and found[-1].text == ";":
        found.pop()
    if not found:
        raise PlatformError(ErrorCode.QUERY_ERROR, "the statement is empty")
    for token in found:
        if token.kind is Kind.SIGN and token.text == ";":
            raise _error(ErrorCode.QUERY_ERROR, "only one statement at a time", token, "send them one after another")
    prefix = _prefix_length(found)
    subject = found[prefix:]
    if not subject:
        raise _error(ErrorCode.QUERY_ERROR, "the statement is empty", found[-1])
    starts = READ_STARTS if access == "read" else WRITE_STARTS
    if subject[0].word not in starts:
        raise _refusal(subject[0], access, starts)
    writes = False
    for index, token in enumerate(subject):
        writes |= _check_token(subject, index, token, access)
    check_limits(subject)
    parameters = frozenset(token.text[1:] for token in subject if token.kind is Kind.PARAMETER)
    return Statement(_text(found), _text(subject), writes, parameters)


def check_operators(operators: AbstractSet[str], access: Access) -> None:
    """Refuse a plan with an operator that does more than the access allows.

    An operator that is on no list passes only if each release's habit of naming tells that it reads: a planner has
    many ways to look a row up (`QUERY_PRIMARY_KEY_LOOKUP`), and a query must not fail for the one that it chose.

    Raises:
        PlatformError: PERMISSION_DENIED.
    """
    refused = sorted(name for name in operators - OPERATORS[access] if not _only_reads(name))
    if refused:
        raise PlatformError(
            ErrorCode.PERMISSION_DENIED,
            f"the statement would do what is not allowed here: {', '.join(refused)}",
            details={"operators": refused},
        )


def _only_reads(operator: str) -> bool:
    said = frozenset(operator.split("_"))
    return ":" not in operator and bool(said & _READING_WORDS) and not said & _ACTING_WORDS


def plan_operators(drawing: str) -> frozenset[str]:
    """The operators in the drawing that `EXPLAIN` returns; a table function call also as `TABLE_FUNCTION_CALL:NAME`.

    A name or string in the statement can add a line to the drawing but take none away, so a forged one is only ever
    refused, never let through.
    """
    titles = [match.group(1) for match in _TITLE.finditer(drawing)]
    functions = [f"TABLE_FUNCTION_CALL:{name.upper()}" for name in _FUNCTION.findall(drawing)]
    if not titles or len(functions) < titles.count("TABLE_FUNCTION_CALL"):
        return frozenset({"UNREADABLE_PLAN"})
    return frozenset(titles) | frozenset(functions)


def _prefix_length(found: Sequence[Token]) -> int:
    if found[0].word not in ("EXPLAIN", "PROFILE"):
        return 0
    return 2 if found[0].word == "EXPLAIN" and len(found) > 1 and found[1].word == "LOGICAL" else 1


def _check_token(subject: Sequence[Token], index: int, token: Token, access: Access) -> bool:
    """Refuse what the token begins, if it begins anything; True if that is a writing clause."""
    following = subject[index + 1] if index + 1 < len(subject) else None
    if following and following.text == "(" and token.kind in (Kind.WORD, Kind.QUOTED):
        _check_before_bracket(subject, index, token)
    word = token.word
    if word not in WRITING_CLAUSES and word not in NEVER and word != "CALL":
        return False
    if _is_name(subject, index):
        return False
    if word in NEVER or (word in WRITING_CLAUSES and access == "read"):
        raise _refusal(token, access, None)
    if word == "CALL":
        _check_call(subject, index, token)
        return False
    _check_writing(subject, index, token)
    return True


def _is_name(subject: Sequence[Token], index: int) -> bool:
    """Whether a word stands where no clause can begin: a property, label, map key, variable or alias."""
    before = subject[index - 1] if index else None
    after = subject[index + 1] if index + 1 < len(subject) else None
    if before is None:
        return False
    if before.kind is Kind.SIGN and before.text in (".", ":", "|"):
        return True
    if before.word == "AS":  # `CREATE NODE TABLE T AS LOAD FROM …` is a clause after AS, and only there
        return subject[0].word not in ("CREATE", "ALTER")
    if after is None:
        return False
    if after.kind is Kind.SIGN and after.text in (".", ":"):
        return True
    return before.text in ("(", "[", ",") and after.text in (")", "]", ",")


def _check_before_bracket(subject: Sequence[Token], index: int, token: Token) -> None:
    name = token.text.strip("`").upper()
    if token.kind is Kind.WORD and token.word in _BEFORE_BRACKET:
        return
    if name in FUNCTIONS or name in TYPES:
        return
    if index and subject[index - 1].word == "CALL":
        return  # `_check_call` looks at it
    if subject[0].word in ("CREATE", "ALTER") and len(subject) > 1 and subject[1].word in ("NODE", "REL", "TABLE"):
        return  # the name of a table, then its columns
    if token.word in WRITING_CLAUSES or token.word in NEVER:
        return  # has its own refusal
    raise _error(
        ErrorCode.PERMISSION_DENIED, f"the function {token.text} is not among those that may be called here", token
    )


def _check_call(subject: Sequence[Token], index: int, token: Token) -> None:
    name = subject[index + 1] if index + 1 < len(subject) else None
    bracket = subject[index + 2] if index + 2 < len(subject) else None
    if name is None or bracket is None or bracket.text != "(" or name.word not in TABLE_FUNCTIONS:
        raise _error(
            ErrorCode.PERMISSION_DENIED,
            f"CALL {name.text if name else ''} is not allowed here",
            token,
            f"these may be called: {', '.join(sorted(TABLE_FUNCTIONS)).lower()}",
        )


def _check_writing(subject: Sequence[Token], index: int, token: Token) -> None:
    following = subject[index + 1] if index + 1 < len(subject) else None
    second = subject[index + 2] if index + 2 < len(subject) else None
    after, then = (following.word if following else ""), (second.word if second else "")
    if token.word == "DETACH" and after != "DELETE":
        raise _error(ErrorCode.PERMISSION_DENIED, "DETACH is allowed before DELETE only", token)
    if token.word in ("ALTER", "DROP") and (index or after != "TABLE"):
        raise _error(ErrorCode.PERMISSION_DENIED, f"{token.word} is allowed for tables only", token)
    if token.word == "CREATE":
        pattern = following is not None and (following.text == "(" or (second is not None and second.text == "="))
        table = index == 0 and after in ("NODE", "REL") and then == "TABLE"
        on_create = index > 0 and subject[index - 1].word == "ON" and after == "SET"
        if not (pattern or table or on_create):
            raise _error(ErrorCode.PERMISSION_DENIED, "CREATE is allowed for nodes, edges and their tables only", token)


def _refusal(token: Token, access: Access, starts: frozenset[str] | None) -> PlatformError:
    if starts is not None and token.word not in NEVER | WRITING_CLAUSES:
        known = token.word in {"USE", "BEGIN", "COMMIT", "ROLLBACK", "COMMENT", "FORCE", "VACUUM", "SHOW"}
        return _error(
            ErrorCode.PERMISSION_DENIED if known else ErrorCode.QUERY_ERROR,
            f"a statement may not begin with {token.text}",
            token,
            f"it begins with one of {', '.join(sorted(starts))}, after EXPLAIN or PROFILE if wanted",
        )
    reason = ": only reading is" if access == "read" and token.word in WRITING_CLAUSES else ""
    return _error(
        ErrorCode.PERMISSION_DENIED,
        f"{token.word} is not allowed here{reason}",
        token,
        f"if it is a name, quote it: `{token.text}`",
    )


def _error(code: ErrorCode, message: str, token: Token, hint: str | None = None) -> PlatformError:
    return PlatformError(
        code,
        f"{message}, at line {token.line}, column {token.column}",
        hint,
        {"line": token.line, "column": token.column},
    )


def _text(found: Sequence[Token]) -> str:
    """The tokens as written, apart where they were apart: the engine's result columns are named after the text."""
    pieces: list[str] = []
    for index, token in enumerate(found):
        if index:
            before = found[index - 1]
            adjoining = before.line == token.line and before.column + len(before.text) == token.column
            pieces.append("" if adjoining else " ")
        pieces.append(token.text)
    return "".join(pieces)
