"""ISO 8601 durations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_platform.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", timedelta(days=30)),
        ("PT24H", timedelta(hours=24)),
        ("P1DT12H", timedelta(hours=36)),
        ("P2W", timedelta(days=14)),
        ("P1W2D", timedelta(days=9)),
        ("PT1.5H", timedelta(minutes=90)),
        ("PT0,5S", timedelta(milliseconds=500)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("P0.5D", timedelta(hours=12)),
    ],
)
def test_a_duration_is_read_in_full(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "1D", "P1H", "PT1D", "P-1D", "-P1D", "P1.5DT1H", "30 days", "p1d", "P1D ", "PT1M1H", "P٣D"],
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|fraction"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["P1Y", "P2M", "P1Y2M3D", "P1YT1H"])
def test_years_and_months_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="P365D"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["PT0S", "P0D", "PT0.0000001S"])
def test_no_time_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        parse_duration(text)


def test_more_than_a_century_is_refused_and_not_an_overflow() -> None:
    for text in ("P36601D", "P99999999999999999999W", "PT" + "9" * 400 + "S"):
        with pytest.raises(ValueError, match="century"):
            parse_duration(text)


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=36000)))
def test_a_duration_reads_back_as_it_was_written(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration
