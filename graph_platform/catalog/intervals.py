"""Durations on their way to Postgres and back: nothing of a month or a year is lost, as it would be in a `timedelta`.

What belongs here: how the catalog's connections write and read an interval, and how one is added to a moment.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, DataError
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.postgres import types
from sqlalchemy import ColumnElement, Interval, func, literal

from graph_platform.durations import Duration, read_duration

STYLE = {"intervalstyle": "iso_8601"}
"""The parameter of a transaction in which intervals can be read."""

_INTERVAL = types["interval"].oid


class _DurationDumper(Dumper):
    oid = _INTERVAL

    def dump(self, obj: Duration) -> bytes:
        return str(obj).encode()


class _DurationLoader(Loader):
    def load(self, data: Buffer) -> Duration:
        text = bytes(data).decode()
        try:
            return read_duration(text)
        except ValueError as error:  # a negative one, which no life is
            raise DataError(f"an interval that is no duration: {error}") from error


def adapt(connection: Connection[Any]) -> None:
    """Let a connection write a `Duration`, and read an interval as one."""
    connection.adapters.register_dumper(Duration, _DurationDumper)
    connection.adapters.register_loader(_INTERVAL, _DurationLoader)


def interval(duration: Duration) -> ColumnElement[Any]:
    """A duration as an SQL expression."""
    return literal(duration, Interval)


def after(moment: ColumnElement[Any], span: ColumnElement[Any]) -> ColumnElement[Any]:
    """The moment that is an interval after another, counted in UTC as the generated columns count: a day of a session
    in another zone may have 23 hours.
    """
    return func.timezone("UTC", func.timezone("UTC", moment) + span)
