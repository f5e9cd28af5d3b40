"""Durations on their way to Postgres and back: nothing of a month or a year is lost, as it would be in a `timedelta`.

What belongs here: how the catalog's connections write and read an interval, and how one is added to a moment.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.types.string import TextLoader
from sqlalchemy import ColumnElement, Dialect, TypeDecorator, func, literal
from sqlalchemy.dialects.postgresql import INTERVAL

from graph_platform.durations import Duration, read_duration

STYLE = {"intervalstyle": "iso_8601"}
"""The parameter of a transaction in which durations can be read."""


class Lasting(TypeDecorator[Duration]):
    """The type of a column, or of a literal, that is a `Duration`."""

    impl = INTERVAL
    cache_ok = True

    def process_bind_param(self, value: Duration | None, dialect: Dialect) -> Any:
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Duration | None:
        return None if value is None else read_duration(value)


def adapt(connection: Connection[Any]) -> None:
    """Let a connection give an interval as the text that it is: the driver's own reading has months of 30 days."""
    connection.adapters.register_loader("interval", TextLoader)


def interval(duration: Duration) -> ColumnElement[Any]:
    """A duration as an SQL expression."""
    return literal(duration, Lasting)


def after(moment: ColumnElement[Any], span: ColumnElement[Any]) -> ColumnElement[Any]:
    """The moment that is an interval after another, counted in UTC as the generated columns count: a day of a session
    in another zone may have 23 hours.
    """
    return func.timezone("UTC", func.timezone("UTC", moment) + span)
