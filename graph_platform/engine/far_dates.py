"""Dates outside the years 1 to 9999, which Python has no value for and the engines have: they become ISO 8601 text.

The engines' Python modules make dates through the interpreter's C interface and do not look whether that refused, so
that one such date, stored or only calculated in a query, ends the process. Here the interface itself is given an
answer instead of a refusal; that is the whole process's, so only a process that serves or builds an engine has it.
"""

from __future__ import annotations

import ctypes
import datetime
from functools import cache
from typing import Any

_CAPSULE = b"datetime.datetime_CAPI"
# `struct PyDateTime_CAPI` of CPython's datetime.h, the same since 3.7: five types and the zone UTC come first.
_DATE, _TIMESTAMP = 6, 7
_Object, _Int = ctypes.py_object, ctypes.c_int
_MakeDate = ctypes.PYFUNCTYPE(_Object, _Int, _Int, _Int, _Object)
_MakeTimestamp = ctypes.PYFUNCTYPE(_Object, _Int, _Int, _Int, _Int, _Int, _Int, _Int, _Object, _Object)


@cache
def allow_far_dates() -> None:
    """From now on, in this process, a date that Python cannot hold comes from an engine as its text."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (_Object, ctypes.c_char_p)
    table = ctypes.cast(
        pointer(datetime.datetime_CAPI, _CAPSULE),
        ctypes.POINTER(ctypes.c_void_p),
    )
    own_date, own_timestamp = _MakeDate(table[_DATE]), _MakeTimestamp(table[_TIMESTAMP])

    def date(year: int, month: int, day: int, kind: type) -> Any:
        try:
            return own_date(year, month, day, kind)
        except (ValueError, OverflowError):
            return _day(year, month, day)

    def timestamp(
        year: int, month: int, day: int, hour: int, minute: int, second: int, micros: int, zone: Any, kind: type
    ) -> Any:
        try:
            return own_timestamp(year, month, day, hour, minute, second, micros, zone, kind)
        except (ValueError, OverflowError):
            fraction = f".{micros:06}" if micros else ""
            offset = "" if zone is None else "+00:00"  # the engines know no other zone
            return f"{_day(year, month, day)}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}"

    kept = _MakeDate(date), _MakeTimestamp(timestamp)
    _KEPT.extend(kept)  # the interpreter has only their addresses
    for place, function in zip((_DATE, _TIMESTAMP), kept, strict=True):
        table[place] = ctypes.cast(function, ctypes.c_void_p).value


_KEPT: list[Any] = []


def _day(year: int, month: int, day: int) -> str:
    """ISO 8601: a year with more than four digits has a sign, the year before 1 is 0."""
    sign = "+" if year > datetime.MAXYEAR else "-" if year < 0 else ""
    return f"{sign}{abs(year):04}-{month:02}-{day:02}"
