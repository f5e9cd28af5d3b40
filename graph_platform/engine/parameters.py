"""A query's parameters: JSON that is read without changing anything in silence, and what an engine keeps of it.

The rules are those under which `RETURN $a` was seen to answer what was sent, on both engines, for any JSON; everything
else is refused with its place, because the bindings rename, retype or drop it without a word, or crash. Whole numbers
beside ones with a fraction are sent with a fraction themselves, as far as a double keeps them: JavaScript has one kind
of numbers, and writes 1.0 as 1. Not here: what the engines answer (`values`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, TypeAlias

from graph_platform.errors import ErrorCode, PlatformError

MAX_PARAMETER_DEPTH = 50
"""Lists and objects inside each other; deeper ones overflow an engine's stack."""

RESERVED_KEYS = frozenset({"_ID", "_LABEL", "_SRC", "_DST", "_NODES", "_RELS"})
"""What the engines call the parts of nodes, edges and paths: an object with them would be answered as one of those."""

_INT64 = range(-(2**63), 2**63)
_IN_A_DOUBLE = range(-(2**53), 2**53 + 1)
"""Whole numbers of which a double keeps every one."""

_MOST_DIGITS = 40
_DIGITS_OF_A_DOUBLE = 800
"""More than any has, written out."""

_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Unreadable:
    """Stands where JSON has a value that cannot be kept as it is written, until its place is known."""

    problem: str


@dataclass(frozen=True)
class _List:
    item: _Kind


@dataclass(frozen=True)
class _Object:
    fields: tuple[tuple[str, _Kind], ...]


_Kind: TypeAlias = "str | _List | _Object"
_TRUTH, _WHOLE, _FRACTION, _TEXT = "true or false", "a whole number", "a number with a fraction", "text"
_NULL = "null"
_NOTHING = "nothing"
"""The kind of an empty list's items: it goes with every other, as a null does only beside a scalar."""
_SCALARS: Mapping[type, str] = {type(None): _NULL, bool: _TRUTH, int: _WHOLE, float: _FRACTION, str: _TEXT}

_Place: TypeAlias = "tuple[_Place | None, str | int | None]"
"""A value's place as its parent's and the step from there, None for any item of a list; text only when it is told."""


def read_json(text: str) -> Any:
    """The value of a JSON text, with `Unreadable` where it would be another one.

    Such places are: a number that no double or 64-bit integer holds, a key that is written twice, NaN and Infinity.

    Raises:
        ValueError: it is not JSON, or nested without end; the message says where.
    """
    try:
        return json.loads(
            text,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=lambda name: Unreadable(f"{name} is not a value of JSON"),
            object_pairs_hook=_object,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_json(name: str, value: Any) -> None:
    """Refuse what no statement could be sent, used or not: what JSON lost already, and text that is none.

    Raises:
        PlatformError: VALIDATION_FAILED with the place, `$a[1].y`.
    """
    waiting: list[tuple[_Place, int, Any]] = [((None, name), 0, value)]
    while waiting:
        place, depth, item = waiting.pop()
        if depth > MAX_PARAMETER_DEPTH:
            raise _refusal(place, f"it is nested more than {MAX_PARAMETER_DEPTH} deep")
        _check_one(place, item)
        if isinstance(item, Mapping):
            for key in item:
                if not isinstance(key, str):
                    raise _refusal(place, f"a key is a {type(key).__name__} and not text")
                _check_text(place, key)
            waiting += [((place, key), depth + 1, child) for key, child in reversed(list(item.items()))]
        elif isinstance(item, (list, tuple)):
            waiting += [((place, i), depth + 1, item[i]) for i in reversed(range(len(item)))]


def check_question(cypher: str, parameters: Mapping[str, Any]) -> None:
    """Refuse what cannot be sent to a server at all, before it is one that did not answer.

    Raises:
        PlatformError: VALIDATION_FAILED for text that is none in the statement, or for a parameter (`check_json`).
    """
    problem = _text_problem(cypher)
    if problem:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"the statement {problem}")
    for name, value in parameters.items():
        check_json(name, value)


def kept_parameter(name: str, value: Any) -> Any:
    """The value as it is sent to an engine: the same value, with the keys of its objects in an order that is kept, and
    1 as 1.0 where other values of the list have a fraction.

    Raises:
        PlatformError: VALIDATION_FAILED with the place of what an engine would change, and what to send instead.
    """
    check_json(name, value)
    place: _Place = (None, name)
    kind = _kind(place, value)
    if not is_untyped(value):
        _check_typed(place, kind)
    return _arranged(place, value, kind)


def is_untyped(value: Any) -> bool:
    """Whether it is a list of nothing: an engine takes one where the statement says of what type it is."""
    return isinstance(value, (list, tuple)) and all(item is None for item in value)


def _whole(text: str) -> int | Unreadable:
    if len(text) > _MOST_DIGITS:  # Python takes quadratic time for long ones, and refuses the longest
        return Unreadable(f"a whole number of {len(text)} digits does not fit in 64 bits: send it as text and cast it")
    return int(text)


def _fraction(text: str) -> float | Unreadable:
    value = float(text)
    if math.isinf(value):
        return Unreadable(f"{_shown(text)} is larger than a double can be")
    if value == 0:
        lost = text.lower().partition("e")[0].strip("-0.")
        return Unreadable(f"{_shown(text)} is nearer to 0 than a double can be") if lost else value
    # A double is printed as the shortest text that reads back, or with so many of its digits; this is no other number.
    written = Decimal(text)
    digits = Context(prec=max(1, min(len(written.as_tuple().digits), _DIGITS_OF_A_DOUBLE)))
    if written in (Decimal(repr(value)), digits.plus(Decimal(value))):
        return value
    return Unreadable(f"{_shown(text)} has more digits than a double keeps: send it as text and cast it to DECIMAL")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = Unreadable("it is written twice") if key in found else value
    return found


def _check_one(place: _Place, item: Any) -> None:
    if isinstance(item, str):
        _check_text(place, item)
    elif isinstance(item, Unreadable):
        raise _refusal(place, item.problem)
    elif isinstance(item, int):
        if item not in _INT64:
            hint = "send it as text and cast it, e.g. to INT128"
            raise _refusal(place, "a whole number does not fit in 64 bits", hint)
    elif isinstance(item, float):
        if not math.isfinite(item):
            raise _refusal(place, f"{item} is not a value of JSON")
    elif item is not None and not isinstance(item, (list, tuple, Mapping)):
        raise _refusal(place, f"a {type(item).__name__} cannot be sent")


def _check_text(place: _Place, text: str) -> None:
    problem = _text_problem(text)
    if problem:
        raise _refusal(place, f"a text {problem}")


def _text_problem(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character, which the engine does not keep"
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        return "holds half a surrogate pair, which is no character"
    return None


def _kind(place: _Place, value: Any) -> _Kind:
    if isinstance(value, Mapping):
        return _object_kind(place, value)
    if isinstance(value, (list, tuple)):
        kind: _Kind = _NOTHING
        first = place
        for number, item in enumerate(value):
            here = (place, number)
            found = _kind(here, item)
            if kind in (_NOTHING, _NULL):
                first, earlier = here, first
                kind = _joined(kind, found, earlier, here)
            elif kind != found:
                kind = _joined(kind, found, first, here)
        return _List(kind)
    return _SCALARS[type(value)]


def _object_kind(place: _Place, value: Mapping[str, Any]) -> _Object:
    spelt: dict[str, str] = {}
    for key in value:
        if key.upper() in RESERVED_KEYS:
            raise _refusal((place, key), f"{key} is a name that the engine gives to parts of nodes and edges")
        other = spelt.setdefault(key.casefold(), key)
        if other != key:
            raise _refusal((place, key), f"the keys {_shown(other)} and {_shown(key)} are one name for the engine")
    return _Object(tuple((key, _kind((place, key), item)) for key, item in value.items()))


def _joined(kind: _Kind, other: _Kind, first: _Place, here: _Place) -> _Kind:
    """The one kind of two values of a list.

    Args:
        first: the place of the value whose kind is `kind`.
        here: that of the one whose kind is `other`.
    """
    if other in (kind, _NOTHING):
        return kind
    if kind == _NOTHING:
        return other
    if _NULL in (kind, other):
        known, null = (kind, here) if other == _NULL else (other, first)
        if isinstance(known, (_List, _Object)):
            # The bindings take the null for a list or an object: Ryugraph answers an empty one, or crashes.
            better = "send [] in its place" if isinstance(known, _List) else "leave it out"
            raise _refusal(null, f"a null where {_named(known)} stands elsewhere in the list is not kept", better)
        return known
    if isinstance(kind, _List) and isinstance(other, _List):
        return _List(_joined(kind.item, other.item, (first, None), (here, None)))
    if isinstance(kind, _Object) and isinstance(other, _Object):
        return _joined_objects(kind, other, first, here)
    if {kind, other} == {_WHOLE, _FRACTION}:
        return _FRACTION
    problem = f"{_named(other)} in one list with {_named(kind)} ({_text(first)}): the engine would change one of them"
    raise _refusal(here, problem)


def _joined_objects(kind: _Object, other: _Object, first: _Place, here: _Place) -> _Object:
    fields, others = dict(kind.fields), dict(other.fields)
    differ = [key for key in (*fields, *others) if key not in fields or key not in others]
    if differ:
        has, lacks = (first, here) if differ[0] in fields else (here, first)
        raise _refusal(
            here,
            "objects of one list need the same keys, or the engine renames them: "
            f"{_text(lacks)} lacks {_shown(differ[0])}, which {_text(has)} has",
            "send null where there is no value",
        )
    return _Object(
        tuple((key, _joined(field, others[key], (first, key), (here, key))) for key, field in fields.items())
    )


def _check_typed(place: _Place, kind: _Kind) -> None:
    """Refuse a null or an empty list inside a value where nothing says what type it is of."""
    if isinstance(kind, _Object):
        for key, field in kind.fields:
            if field == _NULL:
                raise _refusal(
                    (place, key),
                    "the engine cannot tell of what type a null inside an object is",
                    "leave the key out, or send it as a parameter of its own",
                )
            _check_typed((place, key), field)
    elif isinstance(kind, _List):
        if kind.item in (_NULL, _NOTHING):
            raise _refusal(
                place,
                "the engine cannot tell of what type a list without values inside another value is",
                "leave it out, or send it as a parameter of its own",
            )
        _check_typed((place, None), kind.item)


def _arranged(place: _Place, value: Any, kind: _Kind) -> Any:
    if isinstance(kind, _Object):
        return {key: _arranged((place, key), value[key], field) for key, field in _order(place, kind)}
    if isinstance(kind, _List):
        if isinstance(kind.item, str) and kind.item != _FRACTION:
            return list(value)
        return [_arranged((place, number), item, kind.item) for number, item in enumerate(value)]
    if kind == _FRACTION and isinstance(value, int):
        if value not in _IN_A_DOUBLE:
            problem = "a double would not keep this whole number, and others in its list have a fraction"
            raise _refusal(place, problem, "send all of them as text, and cast them to DECIMAL")
        return float(value)
    return value


def _order(place: _Place, kind: _Object) -> Sequence[tuple[str, _Kind]]:
    """The keys in an order in which the bindings take an object of two for what it is.

    They first try whether the two are the `key` and the `value` of a MAP, and on the way fail at values that no MAP
    has; but they look no further than a first value that is no list.
    """
    if len(kind.fields) != 2:
        return kind.fields
    for first, second in (kind.fields, tuple(reversed(kind.fields))):
        looks_on = isinstance(first[1], _List)
        is_map = (first[0], second[0]) == ("key", "value") and looks_on and isinstance(second[1], _List)
        if not is_map and _uniform(first[1]) and (not looks_on or _uniform(second[1])):
            return (first, second)
    keys = " and ".join(_shown(key) for key, _ in kind.fields)
    raise _refusal(
        place,
        f"the engine tries an object of two keys, {keys}, as a MAP, and fails at objects inside whose values are of "
        "several types",
        "give it a third key, or send the two as parameters of their own",
    )


def _uniform(kind: _Kind) -> bool:
    """Whether the bindings find one type for the values of every object inside, as those of a MAP have."""
    if isinstance(kind, _List):
        return _uniform(kind.item)
    if isinstance(kind, _Object):
        kinds = {field for _, field in kind.fields} - {_NULL}
        return (len(kinds) <= 1 or kinds <= {_WHOLE, _FRACTION, _TEXT}) and all(map(_uniform, kinds))
    return True


def _text(place: _Place) -> str:
    steps: list[str] = []
    here: _Place | None = place
    while here is not None:
        parent, step = here
        if parent is None:
            steps.append(f"${step}")
        elif isinstance(step, str):
            plain = step.isidentifier() and len(step) < _SHOWN_CHARACTERS
            steps.append(f".{step}" if plain else f"[{_shown(step)}]")
        else:
            steps.append("[]" if step is None else f"[{step}]")
        here = parent
    return "".join(reversed(steps))


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…", ensure_ascii=True)


def _named(kind: _Kind) -> str:
    return kind if isinstance(kind, str) else "a list" if isinstance(kind, _List) else "an object"


def _refusal(place: _Place, problem: str, hint: str | None = None) -> PlatformError:
    path = _text(place)
    return PlatformError(ErrorCode.VALIDATION_FAILED, f"parameter {path}: {problem}", hint, {"parameter": path})
