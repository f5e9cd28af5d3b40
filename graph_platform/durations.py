"""Durations, as people type them and in ISO 8601: how long a thing lives. Text to `Duration` and back, nothing about
what ends when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

EXAMPLE = (
    "e.g. 7d, 4h, 90m or 1d12h (m is minutes), or in ISO 8601 P30D, P1M or PT1.5H: only the smallest unit may have a "
    "fraction"
)
"""What to tell whoever wrote something else."""

_MONTHS, _DAYS = 12 * 100, 100 * 366  # a century of each
_DAYS_OF_A_MONTH = 30  # where Postgres has to say how long a part of one is
_DAY, _HOUR, _MINUTE, _SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000
_WHOLE = Decimal(1)

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_TYPED = re.compile(rf"(?P<days>(?:{_NUMBER}w)?(?:{_NUMBER}d)?)(?P<time>(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?)")


@dataclass(frozen=True)
class Duration:
    """Months, days and microseconds, kept apart as Postgres keeps them: a month has 28 to 31 days, and which of these
    shows only when it is added to a moment.

    Two that are unequal may be as long as each other: `PT24H` and `P1D`. Compare `longest`.
    """

    months: int = 0
    days: int = 0
    microseconds: int = 0

    @property
    def longest(self) -> timedelta:
        """The longest that it can be, over all moments (of UTC) to which it can be added."""
        return timedelta(days=_longest_days(self.months) + self.days, microseconds=self.microseconds)

    def __str__(self) -> str:
        """As ISO 8601, in the form that Postgres writes; `parse_duration` reads it back to the same."""
        years, months = divmod(self.months, 12)
        hours, rest = divmod(self.microseconds, _HOUR)
        minutes, rest = divmod(rest, _MINUTE)
        seconds, fraction = divmod(rest, _SECOND)
        exact = f"{seconds}.{fraction:06d}".rstrip("0") if fraction else str(seconds)
        day = "".join(f"{number}{unit}" for number, unit in ((years, "Y"), (months, "M"), (self.days, "D")) if number)
        time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
        time += f"{exact}S" if rest or not (day or time) else ""
        return f"P{day}T{time}" if time else f"P{day}"

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        """In a document it is a text."""
        return {"type": "string", "format": "duration"}


def parse_duration(text: str) -> Duration:
    """Read how long something lives: `7d`, `4h`, `90m`, `1d12h`, `2w`, or in ISO 8601 `P30D`, `PT24H`, `P1DT12H`,
    `P1Y6M`, `P2W`, `P1W2D`, `PT1.5H`.

    The short form is in small letters, and its `m` is a minute: a month is `P1M` and nothing else.

    The smallest unit may have a fraction, which counts as in Postgres: a fraction of a year is rounded to months, and
    that of a month is one of 30 days. The alternative format of the standard, `P0001-06-00T00:00:00`, is not read: it
    is one for those who agreed upon it.

    Raises:
        ValueError: the text is not such a duration, is no time at all, or is longer than a century; the message says
            which.
    """
    duration = read_duration(text)
    if duration == Duration():
        raise ValueError(f"{text!r} is no time at all")
    return duration


def read_duration(text: str) -> Duration:
    """Like `parse_duration`, where no time at all may be meant.

    Raises:
        ValueError: the text is not a duration, or is longer than a century.
    """
    years, months, weeks, days, hours, minutes, seconds = _parts(text)
    whole_months, part = _split(months)
    total_months = whole_months + (years * 12).quantize(_WHOLE, ROUND_HALF_EVEN)
    whole_days, part_of_day = _split(days + weeks * 7 + part * _DAYS_OF_A_MONTH)
    time = part_of_day * _DAY + hours * _HOUR + minutes * _MINUTE + seconds * _SECOND
    return Duration(int(total_months), int(whole_days), int(time.quantize(_WHOLE, ROUND_HALF_DOWN)))


def _in_iso(text: str) -> str:
    """What people type as ISO 8601; anything else as it is."""
    typed = _TYPED.fullmatch(text)
    if not text or typed is None:
        return text
    return f"P{typed['days']}{'T' * bool(typed['time'])}{typed['time']}".upper()


def _parts(text: str) -> tuple[Decimal, ...]:
    """Years, months, weeks, days, hours, minutes and seconds, none of them more than a century.

    Raises:
        ValueError: the text is not a duration, or one of its numbers is too large.
    """
    iso = _in_iso(text)
    found = _designated(iso)
    ahead, mark, behind = iso.partition("W")
    if found is None and mark:
        # Weeks beside days and time are of the standard's second part, which the library does not read.
        first, rest = _designated(ahead + mark), _designated("P" + behind)
        if first and rest and rest[:3] == (None, None, None) and "." not in str(first[2]):
            found = (None, None, first[2], *rest[3:])
    if found is None:
        raise ValueError(
            f"{text[:80]!r} is no duration such as 7d, 4h or 90m, nor one of ISO 8601 such as P30D or PT1H30M"
        )
    numbers = tuple(Decimal(number or 0) for number in found)
    century = (100, _MONTHS, _DAYS / 7, _DAYS, _DAYS * 24, _DAYS * 1440, _DAYS * 86_400)
    if sum(number / Decimal(most) for number, most in zip(numbers, century, strict=True)) > 1:
        raise ValueError(f"{text[:80]!r} is longer than a century")
    return numbers


def _designated(text: str) -> tuple[str | None, ...] | None:
    """The numbers as they are written, in the order of the standard; None if it is not its format with designators."""
    from aniso8601 import parse_duration as parse  # noqa: PLC0415 - it costs 20 ms, and a list reads no duration
    from aniso8601.builders import TupleBuilder  # noqa: PLC0415

    if not text.isascii() or set(text).isdisjoint("YMWDHS"):
        return None
    try:
        return tuple(parse(text, builder=TupleBuilder))
    except ValueError:
        return None


def _split(number: Decimal) -> tuple[Decimal, Decimal]:
    whole = number.quantize(_WHOLE, ROUND_DOWN)
    return whole, number - whole


@cache
def _longest_days(months: int) -> int:
    """The most days that so many months can have.

    It is a run of whole months: from the last days of a month Postgres goes to the last day of a shorter one, which
    is nearer. The runs of this century have all the leap years that there can be, and repeat after four years.
    """
    starts = range(12 * 1904, 12 * 1908)
    return max((_first(start + months) - _first(start)).days for start in starts)


def _first(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)
