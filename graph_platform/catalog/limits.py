"""How long a transaction of the catalog may wait, work and stand still: data, per kind of work.

Postgres itself keeps these limits, since it is what outlives a process that sleeps. They are set by the statement that
opens each transaction, so that they cost nothing and hold through a pooler as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from graph_platform.settings import Settings


class Work(StrEnum):
    """What a transaction is for."""

    READING = "reading"
    CHANGING = "changing"
    MIGRATING = "migrating"


@dataclass(frozen=True)
class Limits:
    """The limits of one kind of work, in seconds.

    Args:
        lock: how long one statement waits for a lock that another transaction holds.
        statement: how long one statement takes, waiting included.
        idle: how long the transaction stands still between two statements, before Postgres ends it. A transaction is
            never held open across a call to anything else, so one that stands still belongs to a process that sleeps.
    """

    lock: float
    statement: float
    idle: float

    @property
    def patience(self) -> float:
        """After how many seconds of a transaction somebody looks at what it waits for."""
        return min(2.0, self.lock / 3)


# A change waits for longer than another may stand still: so it gets through behind a process that sleeps.
LIMITS: Mapping[Work, Limits] = MappingProxyType(
    {
        Work.READING: Limits(lock=10, statement=30, idle=20),
        Work.CHANGING: Limits(lock=30, statement=60, idle=20),
        Work.MIGRATING: Limits(lock=60, statement=1800, idle=60),
    }
)

DAGSTER_LIMITS = Limits(lock=30, statement=600, idle=60)
"""Those of Dagster's own database, which are set on the database: its sessions are not the platform's to open."""


def limits_of(settings: Settings) -> Mapping[Work, Limits]:
    """The table with the settings' own values for what changes something."""
    changing = Limits(settings.catalog_lock_seconds, settings.catalog_statement_seconds, settings.catalog_idle_seconds)
    return {**LIMITS, Work.CHANGING: changing}


def parameters(limits: Limits) -> Mapping[str, str]:
    """The limits as Postgres's own parameters."""
    return {
        "lock_timeout": _milliseconds(limits.lock),
        "statement_timeout": _milliseconds(limits.statement),
        "idle_in_transaction_session_timeout": _milliseconds(limits.idle),
    }


def database_limits(database: str) -> list[str]:
    """The statements that make Dagster's limits the default of a database of its own."""
    quoted = '"' + database.replace('"', '""') + '"'
    return [f"ALTER DATABASE {quoted} SET {name} = '{value}'" for name, value in parameters(DAGSTER_LIMITS).items()]


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
