"""What a row of the table wants of its arguments beside their types, such as a pattern that both read in one way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_LONGEST_SEQUENCE = 10_000
# Letters, digits, classes, groups, alternatives and greedy repetitions: the same in Java's expressions and in RE2.
_PATTERN = re.compile(
    r"(?:[\w ,;:@#%&=<>!/~`'\"-]|\\[dwsDWS.\\+*?()\[\]{}|^$/-]|[.^$|()]|\(\?:|[*+?]|\{\d{1,3}(?:,\d{0,3})?\}"
    r"|\[\^?(?:[\w ,;:@#%=<>!/.+*?()$|'\"]|(?<=\w)-(?=\w)|\\[dwsDWS.\\\]\[-]|-(?=\]))+\])*",
    re.ASCII,
)
_UNLIKE = re.compile(r"[*+?}][*+?{]|\(\?(?!:)|^[*+?]|[(|][*+?]|\)[*+]|\$.|[^\[]\^")
_DATE_LETTERS = re.compile(r"(?:[^%]|%[YmdHisTyecMbWajklhIpr%])*")


def _written(arguments: Sequence[exp.Expr], at: int) -> str | None:
    node = arguments[at] if at < len(arguments) else None
    return str(node.this) if isinstance(node, exp.Literal) and node.is_string else None


def _consuming(arguments: Sequence[exp.Expr]) -> str | None:
    """The two go on from an empty match in different ways."""
    return "with a pattern that matches an empty text" if re.search(_written(arguments, 1) or "", "") else None


def duckdb_pattern(pattern: str) -> str:
    """A pattern that `_PATTERN` knows, as RE2 reads it: its white space has no vertical tab, and its `$` is the very
    end, where Trino's may stand before a last line break.
    """
    made, is_class, at = [], False, 0
    while at < len(pattern):
        sign = pattern[at : at + 2] if pattern[at] == "\\" else pattern[at]
        at += len(sign)
        is_class = sign == "[" or (is_class and sign != "]")
        spaces = {"\\s": r"\s\x0b" if is_class else r"[\s\x0b]", "\\S": r"[^\s\x0b]"}
        is_end = sign == "$" and not is_class
        made.append(r"\n?\z" if is_end else spaces.get(sign, sign))
    return "".join(made)


def _tested_pattern(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 1)
    if text is None:
        return "with a pattern that is not written out"
    has_class_of_others = re.search(r"\[[^\]]*\\S", text)
    if has_class_of_others or not _PATTERN.fullmatch(text) or _UNLIKE.search(text):
        return "with this pattern"
    return None


def _pattern(arguments: Sequence[exp.Expr]) -> str | None:
    """As a pattern that is only tested, and without an end, since what was found may have a line break behind it."""
    found = _tested_pattern(arguments)
    if found is None and re.search(r"(?<!\\)\$(?![^\[]*\])", _written(arguments, 1) or ""):
        return "with a pattern that ends with $"
    return found


def _count_groups(pattern: str) -> int:
    return len(re.findall(r"(?<!\\)\((?!\?)", re.sub(r"\[[^\]]*\]", "", pattern)))


def _groups(arguments: Sequence[exp.Expr]) -> str | None:
    at = arguments[2] if len(arguments) > 2 else None
    if at is None:
        return None
    if not isinstance(at, exp.Literal) or at.is_string:
        return "with a group that is not written out"
    pattern = _written(arguments, 1) or ""
    if re.search(r"[?*|]|\{0", pattern):
        return "with a group that need not be found"
    return None if int(at.this) <= _count_groups(pattern) else "with a group that the pattern has not"


def _dollars(arguments: Sequence[exp.Expr]) -> str | None:
    """A replacement with groups by their numbers, all of which the pattern has."""
    text = _written(arguments, 2)
    groups = _count_groups(_written(arguments, 1) or "")
    good = text is not None and re.fullmatch(r"(?:[^\\$]|\$\d(?!\d))*", text)
    known = all(int(each) <= groups for each in re.findall(r"\$(\d)", text or ""))
    return None if good and known else "with this replacement"


def _unit(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 0)
    return None if text is not None and text.lower() in _UNITS else "with this unit"


def _fine_unit(arguments: Sequence[exp.Expr]) -> str | None:
    return None if (_written(arguments, 0) or "").lower() == "millisecond" else _unit(arguments)


def _day_step(arguments: Sequence[exp.Expr]) -> str | None:
    step = arguments[2]
    is_days = isinstance(step, exp.Interval) and str(step.args["unit"].name).upper() == "DAY"
    return None if is_days else "with a step that is not written out in days"


def _letter_sought(arguments: Sequence[exp.Expr]) -> str | None:
    """Several letters may be found again in themselves: `aa` is twice in `aaa`."""
    text = _written(arguments, 1)
    return None if text is not None and len(text) == 1 else "of what is not one letter that is written out"


def _day_unit(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 0)
    return None if text is not None and text.lower() in _UNITS[3:] else "with this unit"


def _date_pattern(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 1)
    return None if text is not None and _DATE_LETTERS.fullmatch(text) else "with this pattern"


def _simple_path(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 1)
    good = text is not None and re.fullmatch(r"\$(?:\.[A-Za-z_]\w*|\[\d+\]|\[\"[\w -]+\"\])*", text)
    return None if good else "with this path"


def duckdb_path(path: str) -> str:
    """A path with the names in brackets as DuckDB writes them: after a point."""
    return re.sub(r'\["([\w -]+)"\]', r'."\1"', path)


def _delimiters(arguments: Sequence[exp.Expr]) -> str | None:
    texts = [_written(arguments, at) for at in (1, 2)]
    return None if all(texts) and texts[0] != texts[1] else "with delimiters that are not written out, or empty"


def _nonempty(arguments: Sequence[exp.Expr]) -> str | None:
    return None if _written(arguments, 1) else "with a separator that is not written out, or empty"


def _plain_text(arguments: Sequence[exp.Expr]) -> str | None:
    return None if all(not isinstance(each, (exp.Distinct, exp.Order)) for each in arguments) else "with these clauses"


def _utc_text(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 0)
    good = text is not None and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|\+00:00)", text)
    return None if good else "of a text that need not be UTC: DuckDB keeps the instant alone"


def canonical_json(text: str) -> str | None:
    """JSON as Trino writes it: no spaces, keys in order. None for what is none, or has numbers that are not whole,
    letters that are escaped, or a key twice.
    """
    try:
        found = json.loads(text, parse_float=_not_whole, parse_constant=_not_whole, object_pairs_hook=_once)
    except ValueError:
        return None
    return None if "\\" in text else json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _not_whole(text: str) -> None:
    raise ValueError(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError(pairs)
    return dict(pairs)


def _canonical(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 0)
    good = text is not None and text == canonical_json(text)
    return None if good and text else "of a text that Trino may write in another way: with spaces, or keys out of order"


def _parse_pattern(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 1)
    return None if text is not None and re.fullmatch(r"(?:[-/: .,T]|%[YmdHis])*", text) else "with this pattern"


def _letter(arguments: Sequence[exp.Expr]) -> str | None:
    text = _written(arguments, 0)
    return None if text is not None and len(text) == 1 else "of what is not one letter that is written out"


def _short(arguments: Sequence[exp.Expr]) -> str | None:
    numbers = [int(str(each.this)) for each in arguments[:2] if isinstance(each, exp.Literal) and each.is_int]
    too_long = len(numbers) > 1 and abs(numbers[1] - numbers[0]) >= _LONGEST_SEQUENCE
    return f"of more than {_LONGEST_SEQUENCE} elements, which Trino refuses," if too_long else None


def _nothing(arguments: Sequence[exp.Expr]) -> str | None:
    return None


CONDITIONS: Mapping[str, Callable[[Sequence[exp.Expr]], str | None]] = {
    "pattern": _pattern,
    "tested_pattern": _tested_pattern,
    "consuming": _consuming,
    "group": _groups,
    "dollars": _dollars,
    "delimiters": _delimiters,
    "unit": _unit,
    "fine_unit": _fine_unit,
    "day_unit": _day_unit,
    "day_step": _day_step,
    "letter_sought": _letter_sought,
    "date_pattern": _date_pattern,
    "simple_path": _simple_path,
    "nonempty": _nonempty,
    "utc_text": _utc_text,
    "canonical": _canonical,
    "parse_pattern": _parse_pattern,
    "short": _short,
    "letter": _letter,
    "any": _nothing,
    "any_value": _nothing,
    "no_clauses": _plain_text,
}
