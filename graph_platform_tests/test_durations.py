"""Durations, short and of ISO 8601: how they are read and written. That Postgres reads them alike is
`catalog/test_intervals`.
"""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_platform.durations import Duration, parse_duration

HOUR = 3_600_000_000

WRITTEN = {
    "P30D": Duration(days=30),
    "PT24H": Duration(microseconds=24 * HOUR),
    "P1DT12H": Duration(days=1, microseconds=12 * HOUR),
    "P1M": Duration(months=1),
    "P1Y": Duration(months=12),
    "P2Y3M4DT5H6M7S": Duration(27, 4, 5 * HOUR + 367_000_000),
    "P11M": Duration(months=11),
    "PT0.5S": Duration(microseconds=500_000),
    "PT36H": Duration(microseconds=36 * HOUR),
}
READ = {
    **WRITTEN,
    "P12M": Duration(months=12),
    "P2W": Duration(days=14),
    "P1W2D": Duration(days=9),
    "P1WT3H": Duration(days=7, microseconds=3 * HOUR),
    "PT1.5H": Duration(microseconds=HOUR * 3 // 2),
    "PT0,5S": Duration(microseconds=500_000),
    "P0.5D": Duration(microseconds=12 * HOUR),
    "P1.5W": Duration(days=10, microseconds=12 * HOUR),
    "P0.5Y": Duration(months=6),
    "P1.5M": Duration(months=1, days=15),
    "P100Y": Duration(months=1200),
    "7d": Duration(days=7),
    "4h": Duration(microseconds=4 * HOUR),
    "90m": Duration(microseconds=HOUR * 3 // 2),
    "30s": Duration(microseconds=30_000_000),
    "2w": Duration(days=14),
    "1w2d": Duration(days=9),
    "1d12h": Duration(days=1, microseconds=12 * HOUR),
    "1h30m": Duration(microseconds=HOUR * 3 // 2),
    "1.5h": Duration(microseconds=HOUR * 3 // 2),
    "0,5d": Duration(microseconds=12 * HOUR),
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_a_duration_is_read_in_full(text: str, expected: Duration) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", WRITTEN)
def test_a_duration_is_written_as_a_person_wrote_it(text: str) -> None:
    assert str(parse_duration(text)) == text


WRONG = (
    *("", "P", "PT", "P1DT", "1D", "P1H", "PT1D", "P-1D", "-P1D", "+P1D", "P1.5DT1H", "30 days", "p1d", "P1D "),
    *("PT1M1H", "P٣D", "P1.D", "P.5D", "P1e3D", "P1_0D", "P1W1W", "P1W3M", "P1.5W2D", "P1WT", "P1D1W", "P1Y1W"),
    *(
        "7",
        "d",
        "7 d",
        "7D",
        "4H",
        "90M",
        "4hours",
        "30m1h",
        "1d1d",
        "1.5d3h",
        "-7d",
        "+7d",
        "7d ",
        "7d\n",
        "٣d",
        "1y",
        "P7d",
    ),
    *("P0001-02-03T04:05:06", "P00010203T040506", "PT1H/P1D", "P1DT1.5H3M", "P²D", "P1D\n", "infinity"),
)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_a_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        ValueError, match="no duration such as 7d, 4h or 90m, nor one of ISO 8601 such as P30D or PT1H30M"
    ):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0d", "0h0m", "PT0S", "P0D", "P0Y0M0DT0H0M0S", "PT0.0000001S"])
def test_no_time_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "36601d",
        "99999999999999999999w",
        f"{'9' * 400}s",
        "P36601D",
        "P101Y",
        "P1201M",
        "P60Y600M",
        "P999999999Y",
        "P99999999999999999999W",
        f"PT{'9' * 400}S",
    ],
)
def test_more_than_a_century_is_refused_and_not_an_overflow(text: str) -> None:
    with pytest.raises(ValueError, match="century") as refused:
        parse_duration(text)
    assert len(str(refused.value)) < 200
    assert text[:80] in str(refused.value)


@given(st.text("P0123456789.,YMWDTHS+-:wdhms", max_size=20))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(str(duration)) == duration


@given(st.integers(0, 1195), st.integers(0, 100), st.integers(1, 100 * HOUR))  # less than a century together
def test_a_duration_reads_back_as_it_was_written(months: int, days: int, microseconds: int) -> None:
    duration = Duration(months, days, microseconds)
    assert parse_duration(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("P1M", timedelta(days=31)),
        ("P2M", timedelta(days=62)),
        ("P6M", timedelta(days=184)),
        ("P1Y", timedelta(days=366)),
        ("P4Y", timedelta(days=1461)),
        ("P1M1DT1H", timedelta(days=32, hours=1)),
        ("P30D", timedelta(days=30)),
    ],
)
def test_the_longest_that_months_can_be_counts(text: str, longest: timedelta) -> None:
    assert parse_duration(text).longest == longest


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.integers(1, 600))
def test_from_no_day_are_months_longer_than_their_longest(start: date, months: int) -> None:
    year, month = divmod(12 * start.year + start.month - 1 + months, 12)
    end = date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
    assert end - start <= Duration(months=months).longest
