"""What an error of Postgres means for a user: one table over its codes, and who held what was waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy.exc import DBAPIError

from graph_platform.catalog.limits import Limits
from graph_platform.catalog.waits import Holder
from graph_platform.errors import ErrorCode, PlatformError

_CHECK = "check GRAPH_PLATFORM_CATALOG and that the server runs; `graph-platform doctor` looks at it more closely"


def platform_error(
    error: Exception, where: str, limits: Limits | None = None, held_by: Sequence[Holder] = ()
) -> PlatformError | None:
    """What a driver's or SQLAlchemy's error means; None for one that only a defect of the caller explains.

    Args:
        where: the catalog's URL as it may be shown.
        limits: those of the transaction in which it happened; None before there was one.
        held_by: whom the transaction was last seen to wait for.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state = getattr(cause, "sqlstate", None) or ""
    known = _BY_STATE.get(state)
    if known is not None and limits is not None:
        return known(where, _said(cause), limits, held_by)
    if state.startswith(_AWAY) or _connection_lost(error, cause):
        return PlatformError(
            ErrorCode.BACKEND_UNREACHABLE, f"the catalog at {where} could not be reached: {_said(cause)}", _CHECK
        )
    return None


def silent(where: str, pid: int, limits: Limits) -> PlatformError:
    """The server neither answered a statement nor ended it when its time was over.

    Args:
        pid: the server's process that was asked.
    """
    return PlatformError(
        ErrorCode.BACKEND_UNREACHABLE,
        f"the catalog at {where} took a statement and did not answer, nor end it after its {limits.statement:g} s",
        f"is its machine asleep, or process {pid} of Postgres stopped there (`kill -CONT {pid}`)? Try again",
    )


def _connection_lost(error: Exception, cause: BaseException) -> bool:
    """Without a code of the server, the driver speaks for itself: of its connection."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return type(cause).__name__ in ("OperationalError", "InterfaceError") and not getattr(cause, "sqlstate", None)


def _said(cause: BaseException) -> str:
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _locked(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    waited = f"gave up after {limits.lock:g} s of waiting for a lock in the catalog at {where}"
    return _held(waited, limits, held_by)


def _slow(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    if "statement timeout" not in said:
        message, hint = f"somebody cancelled a statement on the catalog at {where}", "try again"
        return PlatformError(ErrorCode.CATALOG_BUSY, message, hint)
    waited = f"a statement on the catalog at {where} took longer than its {limits.statement:g} s"
    if held_by:
        return _held(waited, limits, held_by)
    return PlatformError(
        ErrorCode.CATALOG_BUSY, waited, "is the server overloaded? Try again; nothing of this transaction was kept"
    )


def _held(waited: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    if not held_by:
        return PlatformError(
            ErrorCode.CATALOG_BUSY,
            f"{waited}; who holds it could not be seen",
            "try again; `SELECT * FROM pg_stat_activity WHERE xact_start IS NOT NULL` lists the open transactions",
        )
    shown = "; and ".join(str(holder) for holder in held_by[:3])
    pids = ", ".join(str(holder.pid) for holder in held_by)
    return PlatformError(
        ErrorCode.CATALOG_BUSY,
        f"{waited}: it is held by {shown}",
        f"try again: Postgres ends a transaction of the platform that stands still for {limits.idle:g} s; anything "
        f"else ends with its process, or with SELECT pg_terminate_backend({pids})",
        {"held_by": [holder.document() for holder in held_by]},
    )


def _stood_still(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    return PlatformError(
        ErrorCode.CATALOG_BUSY,
        f"this process stood still inside a transaction for more than {limits.idle:g} s, so the catalog at {where} "
        "ended the transaction, for the sake of others who waited",
        "was the process stopped, or the machine asleep? Nothing of that transaction was kept: run it again",
    )


def _collided(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    return PlatformError(
        ErrorCode.CATALOG_BUSY,
        f"two transactions on the catalog at {where} got into each other's way: {said}",
        "run it again; nothing of this transaction was kept",
    )


def _full(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    return PlatformError(
        ErrorCode.STORAGE_ERROR, f"the catalog at {where} could not keep what was written: {said}", "give it more space"
    )


def _standby(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    return PlatformError(
        ErrorCode.BACKEND_UNREACHABLE,
        f"the server at {where} only lets read: {said}",
        "is it a standby? GRAPH_PLATFORM_CATALOG names the primary",
    )


def _forbidden(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    return PlatformError(
        ErrorCode.PERMISSION_DENIED,
        f"the catalog at {where} does not let this user: {said}",
        "use a user that owns the schema graph_platform, or have it granted",
    )


def _damaged(where: str, said: str, limits: Limits, held_by: Sequence[Holder]) -> PlatformError:
    return PlatformError(
        ErrorCode.INVALID_STATE,
        f"the tables of the catalog at {where} are not those of the version that it names: {said}",
        "was it restored in part, or changed by hand? Restore all of it from a backup; one that holds nothing of value "
        "is made anew after DROP SCHEMA graph_platform CASCADE",
    )


_Telling = Callable[[str, str, Limits, Sequence[Holder]], PlatformError]
_BY_STATE: Mapping[str, _Telling] = MappingProxyType(
    {
        "55P03": _locked,  # lock_not_available
        "57014": _slow,  # query_canceled
        "25P03": _stood_still,  # idle_in_transaction_session_timeout
        "25P04": _stood_still,  # transaction_timeout, which only an operator sets
        "40P01": _collided,  # deadlock_detected
        "40001": _collided,  # serialization_failure
        "53100": _full,  # disk_full
        "25006": _standby,  # read_only_sql_transaction
        "42501": _forbidden,  # insufficient_privilege
        "42P01": _damaged,  # undefined_table
        "42703": _damaged,  # undefined_column
        "42883": _damaged,  # undefined_function
        "42P07": _damaged,  # duplicate_table, where a migration makes one
    }
)
# connection exception; authorization; no such database; insufficient resources; operator intervention; system error
_AWAY = ("08", "28", "3D", "53", "57P", "58")
