"""Durations in Postgres: it reads a text as the platform does, and gives back what it was given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, literal, literal_column, make_url, select, text

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.intervals import Lasting, after, interval
from graph_platform.durations import Duration, parse_duration

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
WHOLE = st.integers(0, 40).map(str)
FRACTION = st.tuples(st.integers(0, 40), st.integers(0, 999_999)).map(lambda parts: f"{parts[0]}.{parts[1]:06d}")


@st.composite
def durations(draw: st.DrawFn) -> str:
    """A duration of some units, or of weeks, whose smallest has a fraction or not."""
    units = draw(st.sampled_from([["W"], draw(st.lists(st.sampled_from("YMDhms"), min_size=1, unique=True))]))
    units.sort(key="YMWDhms".index)
    numbers = [draw(WHOLE) for _ in units[:-1]] + [draw(WHOLE | FRACTION)]
    written = [number + unit for number, unit in zip(numbers, units, strict=True)]
    day, time = ("".join(each for each in written if each[-1].isupper() == upper) for upper in (True, False))
    return f"P{day}" + (f"T{time.upper()}" if time else "")


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[Connection]:
    """A connection that knows nothing of ours: Postgres itself."""
    engine = create_engine(make_url(postgres_url).set(database="postgres"))  # which no catalog is copied from
    with engine.connect() as connection:
        connection.exec_driver_sql("SET intervalstyle = 'iso_8601'")
        yield connection
    engine.dispose()


@given(durations(), MOMENTS)
@settings(deadline=None)
def test_postgres_comes_to_the_same_moment_as_what_was_read(server: Connection, written: str, moment: datetime) -> None:
    try:
        ours = str(parse_duration(written))
    except ValueError as error:
        assert "no time" in str(error)
        return
    query = text("SELECT m + CAST(:written AS interval), m + CAST(:ours AS interval) FROM (VALUES (:moment)) AS t(m)")
    values = {"written": written, "ours": ours, "moment": moment.replace(tzinfo=None)}
    theirs, read = server.execute(query, values).one()
    assert abs(theirs - read) <= timedelta(microseconds=1)  # which it rounds as a float


@given(st.integers(0, 1199), st.integers(0, 36_000), st.integers(1, 10**15))
@settings(deadline=None)
def test_postgres_writes_a_duration_as_we_do(server: Connection, months: int, days: int, microseconds: int) -> None:
    ours = str(Duration(months, days, microseconds))
    assert server.scalar(text("SELECT CAST(CAST(:ours AS interval) AS text)"), {"ours": ours}) == ours


FROM_A_DAY = {
    ("2026-01-31", "P1M"): "2026-02-28",
    ("2028-01-31", "P1M"): "2028-02-29",
    ("2028-02-29", "P1Y"): "2029-02-28",
    ("2026-03-31", "P1M"): "2026-04-30",
    ("2026-01-30", "P1M1D"): "2026-03-01",
    ("2026-12-31", "P2M"): "2027-02-28",
    ("2026-01-31", "P30D"): "2026-03-02",
}


@pytest.mark.parametrize(("begins", "ends"), FROM_A_DAY.items())
def test_months_and_years_are_added_as_the_calendar_has_them(
    server: Connection, begins: tuple[str, str], ends: str
) -> None:
    moment = literal(datetime.fromisoformat(f"{begins[0]}T10:00:00+00:00"))
    ended = server.scalar(select(after(moment, interval(parse_duration(begins[1])))))
    assert ended == datetime.fromisoformat(f"{ends}T10:00:00+00:00")


def test_a_day_has_24_hours_whatever_the_zone_of_the_session(catalog: Catalog) -> None:
    evening = datetime(2026, 3, 28, 20, tzinfo=UTC)  # the clocks of Berlin are put forward in the night
    with catalog.transaction() as session:
        session.execute(text("SET LOCAL timezone = 'Europe/Berlin'"))
        ended = session.scalar(select(after(literal(evening), interval(Duration(days=1)))))
    assert ended == evening + timedelta(days=1)


def test_an_interval_comes_back_as_it_went(catalog: Catalog) -> None:
    written = ["P1M", "P1Y2M", "P30D", "PT24H", "P1DT12H", "PT0.000001S", "PT5000H", "P99Y11M"]
    with catalog.transaction() as session:
        assert [str(session.scalar(select(interval(parse_duration(each))))) for each in written] == written


def test_intervals_are_read_in_a_database_that_writes_them_in_another_style(catalog_url: str) -> None:
    admin = create_engine(catalog_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {admin.url.database} SET intervalstyle = 'sql_standard'")
    admin.dispose()
    catalog = Catalog(catalog_url)
    with catalog.transaction() as session:
        read = session.scalar(select(literal_column("interval '1 year 2 months 3 days 4 hours'", Lasting)))
    catalog.close()
    assert read == parse_duration("P1Y2M3DT4H")
