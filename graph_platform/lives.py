"""How long things may live: what an installation grants each kind, and the errors of who asks for more.

Every life that a person writes is read here, and nowhere else: a mapping's, a snapshot's, an instance's. When a life
began, and so when it ends, is the catalog's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from graph_platform.durations import EXAMPLE, Duration, parse_duration
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.settings import Settings, variable


class Lived(StrEnum):
    """What has a life, as its settings are called."""

    MAPPING = "mapping"
    SNAPSHOT = "snapshot"
    INSTANCE = "instance"


_ONE: Mapping[Lived, str] = MappingProxyType(
    {Lived.MAPPING: "a mapping", Lived.SNAPSHOT: "a snapshot", Lived.INSTANCE: "an instance"}
)


@dataclass(frozen=True)
class Lives:
    """How long one thing lives, and how long while nobody uses it; None for a life without end."""

    ttl: Duration | None
    inactivity_timeout: Duration | None


class LifeFault(StrEnum):
    """What is wrong with a life that was asked for."""

    UNREADABLE = "unreadable"
    TOO_LONG = "too long"


class LifeRefusal(PlatformError):
    """A life that nothing is given, VALIDATION_FAILED. `details` has its `field` and its `fault`."""

    @property
    def fault(self) -> LifeFault:
        """Which of the faults it is."""
        return LifeFault(self.details["fault"])


@dataclass(frozen=True)
class Grant:
    """What an installation grants one kind of things.

    Args:
        ttl: the life of one that asks for none; None: it never ends.
        inactivity: its life while nobody uses it.
        ceiling: the longest that either may be.
    """

    kind: Lived
    ttl: Duration | None
    inactivity: Duration
    ceiling: Duration

    def lives(self, ttl: str | None, inactivity_timeout: str | None) -> Lives:
        """The lives of one that asks for these; None or empty: for nothing.

        Raises:
            LifeRefusal: one of them is no duration, or longer than the ceiling.
        """
        return Lives(
            self.life("ttl", ttl) if ttl else self.ttl,
            self.life("inactivity_timeout", inactivity_timeout) if inactivity_timeout else self.inactivity,
        )

    def life(self, field: str, text: str) -> Duration:
        """One life that is asked for, held against the ceiling by the longest that it can be: a month has 31 days.

        Raises:
            LifeRefusal: it is no duration, or longer than the ceiling.
        """
        life = read_life(field, text)
        if life.longest > self.ceiling.longest:
            can_be = f", which can be {life.longest.days} days" if life.months else ""
            raise _refusal(
                field,
                LifeFault.TOO_LONG,
                f"{field} is {text[:80]}{can_be}: longer than the {self.ceiling} that {_ONE[self.kind]} may live",
                f"write {self.ceiling} or less",
            )
        return life


def granted(settings: Settings, kind: Lived) -> Grant:
    """What these settings grant.

    Raises:
        PlatformError: VALIDATION_FAILED for a default that is longer than the ceiling: who asks for nothing would get
            what nobody may have.
    """
    values: dict[str, Any] = {
        name: getattr(settings, f"{kind}_{name}") for name in ("ttl", "inactivity", "ttl_ceiling")
    }
    ceiling: Duration = values.pop("ttl_ceiling")
    for name, default in values.items():
        if default is not None and default.longest > ceiling.longest:
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"{variable(f'{kind}_{name}')} is {default}, longer than the {ceiling} of "
                f"{variable(f'{kind}_ttl_ceiling')}",
                "shorten the one or raise the other",
            )
    return Grant(kind, values["ttl"], values["inactivity"], ceiling)


def read_life(field: str, text: str) -> Duration:
    """A life whatever the ceiling: that of what was kept, for which it was settled then.

    Raises:
        LifeRefusal: it is no duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise _refusal(field, LifeFault.UNREADABLE, f"{field}: {error}", EXAMPLE) from error


def _refusal(field: str, fault: LifeFault, message: str, hint: str) -> LifeRefusal:
    return LifeRefusal(ErrorCode.VALIDATION_FAILED, message, hint, {"field": field, "fault": str(fault)})
