"""The URL of a Postgres as the settings give it: readable or refused, before any driver quotes it in its own error."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from graph_platform.errors import ErrorCode, PlatformError

FORM = "postgresql+psycopg://user:password@host:5432/database"
_WRONG_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|\s")
_AT_WORK = re.compile(r"postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)


def check_postgres_url(url: str, variable: str) -> None:
    """Refuse what is no URL of a Postgres, or what its two readers (SQLAlchemy and libpq) would read differently.

    Args:
        variable: the setting's name in the environment, which the error names. The URL itself is never quoted, since
            what is wrong with it may be its password.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    reason = _wrong(url)
    if reason:
        embedded = "`embedded:` or " if variable.endswith("_CATALOG") else ""
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"{variable} is not the URL of a Postgres database: {reason}",
            f"write {embedded}{variable}={FORM}, signs like @ : / % # ? of the password percent-encoded",
        )


def _wrong(url: str) -> str | None:
    if not _AT_WORK.match(url) or url.endswith("://"):
        return "it does not begin with postgresql+psycopg:// and a host"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or port cannot be read"
    if port == 0 or parts.netloc.endswith(":"):
        return "its port cannot be read"
    if "@" in url[len(parts.scheme) + 3 + len(parts.netloc) :] or parts.netloc.count("@") > 1:
        return "it has an @ too many"
    host = parts.netloc.rpartition("@")[2]
    # In brackets it begins the zone of an IPv6 address; elsewhere a user and password may have been encoded whole.
    escaped_host = "%" in host and not host.startswith("[")
    if escaped_host or _WRONG_ESCAPE.search(url) or "\0" in url:
        return "it has a space, a % in its host, or a % without two hexadecimal digits"
    return None
