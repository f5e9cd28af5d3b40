"""What an instance is, when its row and what the runtime sees of it are put together. Decisions only, no I/O.

A row says `running` until somebody writes otherwise, and a server that died writes nothing. So whoever shows an
instance shows what is seen, and whoever is about to act on it writes it down first.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from graph_platform.catalog.records import InstanceRecord
from graph_platform.catalog.states import InstanceStatus
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.protocol import Observation, Presence
from graph_platform.settings import Settings


def all_are_here(settings: Settings) -> bool:
    """Whether what this runtime does not have is nowhere.

    The embedded catalog lies in the same home as the local runtime. Another one may be shared by machines, each with
    a local runtime of its own, and which of them an instance is on is not in the catalog. A cluster is the same from
    everywhere.
    """
    return settings.catalog == "embedded:" or not settings.runtime.startswith("local:")


def death(instance: InstanceRecord, seen: Observation, *, absence_tells: bool) -> PlatformError | None:
    """What a running instance's server has ended with; None if it lives, or if nothing says that it does not.

    Args:
        absence_tells: whether one that the runtime does not have is gone, rather than on another machine.
    """
    if instance.status != InstanceStatus.RUNNING or seen.attempt > instance.attempt:
        return None
    absent = seen.presence == Presence.ABSENT
    if absent and not absence_tells:
        return None
    if not absent and seen.presence != Presence.ENDED and seen.attempt == instance.attempt:
        return None
    said = seen.failure if seen.attempt == instance.attempt else None
    failure = PlatformError.from_document(said) if said else vanished(instance)
    name = f" --name {shlex.quote(instance.name)}" if instance.name else ""
    return PlatformError(
        failure.code,
        f"the server of instance {instance.name or instance.id} has ended: {failure.code}: {failure.message}",
        f"`graph-platform instance launch {instance.snapshot_id}{name}` starts it again",
        failure.details,
    )


def vanished(instance: InstanceRecord) -> PlatformError:
    """The server of an instance is gone, and nothing is left that says why."""
    return PlatformError(
        ErrorCode.UNEXPECTED_TERMINATION,
        f"the server of instance {instance.id} is gone",
        "the machine may have been restarted; launch it again",
    )


def as_seen(instance: InstanceRecord, seen: Observation, *, absence_tells: bool) -> InstanceRecord:
    """The instance as it is: one whose server has ended is failed, says why, and has no URL."""
    error = death(instance, seen, absence_tells=absence_tells)
    if error is None:
        return instance
    return replace(
        instance,
        status=InstanceStatus.FAILED.value,
        url=None,
        error=error.document(),
        expired=False,
        expired_at=None,
    )


def is_idle(instance: InstanceRecord) -> bool:
    """Whether it is expired for want of use, as far as the catalog knows; its server may know of a later use."""
    return instance.expired_at is not None and instance.expired_at != instance.expires_at


def expiry_warning(instance: InstanceRecord) -> str:
    """What to tell whoever uses an expired instance: since when, and how it stays."""
    since = f"{instance.expired_at:%Y-%m-%d %H:%M:%S %Z}" if instance.expired_at else "an unknown time"
    what = f"instance {instance.name or instance.id} expired at {since}"
    if is_idle(instance) and instance.inactivity_timeout is not None:
        what += f", unused for {instance.inactivity_timeout}"
    called = shlex.quote(instance.name or instance.id)
    return f"{what}, and may be ended at any time: `graph-platform instance extend {called} PT4H --reason …` keeps it"
