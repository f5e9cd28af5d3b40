"""ISO 8601 durations: how long a thing lives. Text to `timedelta` and back, nothing about what expires when."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

_NUMBER = r"(\d+(?:[.,]\d+)?)"
_DURATION = re.compile(
    rf"P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?P<time>T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?", re.ASCII
)
_CALENDAR = re.compile(r"P(?=\d)[^T]*[YM]", re.ASCII)
_SECONDS = {"W": 604_800, "D": 86_400, "H": 3_600, "M": 60, "S": 1}
_LONGEST = timedelta(days=100 * 366)


def parse_duration(text: str) -> timedelta:
    """Read `P30D`, `PT24H`, `P1DT12H`, `P2W`, `PT1.5H`.

    A week is seven days and a day 24 hours. Years and months are refused: how long they are depends on the day from
    which one counts, and a deadline must not.

    Raises:
        ValueError: the text is not such a duration, is zero, or is longer than a century; the message says which.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        if _CALENDAR.match(text):
            raise ValueError(f"{text!r} counts years or months, whose length varies: write days, e.g. P365D")
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as P30D or P1DT12H")
    weeks, days, time, hours, minutes, seconds = match.groups()
    parts = dict(zip(_SECONDS, (weeks, days, hours, minutes, seconds), strict=True))
    given = {unit: value for unit, value in parts.items() if value is not None}
    if not given or time == "T":
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as P30D or P1DT12H")
    smallest = list(given)[-1]
    if any(not value.isdigit() for unit, value in given.items() if unit != smallest):
        raise ValueError(f"{text!r}: only the smallest unit may have a fraction")
    total = sum((Decimal(value.replace(",", ".")) * _SECONDS[unit] for unit, value in given.items()), Decimal(0))
    if total > Decimal(_LONGEST.total_seconds()):
        raise ValueError(f"{text!r} is longer than a century")
    microseconds = int(total * 1_000_000)
    if microseconds == 0:
        raise ValueError(f"{text!r} is no time at all")
    return timedelta(microseconds=microseconds)


def format_duration(duration: timedelta) -> str:
    """The shortest ISO 8601 text, in days and smaller, that `parse_duration` reads back to the same."""
    if duration <= timedelta(0):
        raise ValueError("a duration is more than nothing")
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{duration.microseconds:06d}".rstrip("0") if duration.microseconds else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    time += f"{seconds}{fraction}S" if seconds or fraction else ""
    return "P" + (f"{duration.days}D" if duration.days else "") + (f"T{time}" if time else "")
