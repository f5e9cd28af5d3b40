"""One storage root belongs to one installation: a second one pointed at it would take everything there for orphans."""

from __future__ import annotations

import json

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.protocol import Storage

_MARKER = "installation.json"


def claim_storage(storage: Storage, installation: str) -> None:
    """Mark a fresh root as ours, or see that it is.

    Raises:
        PlatformError: INVALID_STATE if it belongs to another installation.
    """
    try:
        owner = json.loads(storage.read(_MARKER))["installation"]
    except PlatformError as error:
        if error.code != ErrorCode.RESOURCE_NOT_FOUND:
            raise
        storage.write(_MARKER, json.dumps({"installation": installation}).encode())
        owner = installation
    except (ValueError, KeyError, TypeError) as error:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"{storage.url}/{_MARKER} does not say which installation the storage belongs to",
            "restore the file, or point GRAPH_PLATFORM_STORAGE to an empty place",
        ) from error
    if owner != installation:
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"the storage {storage.url} belongs to installation {owner}, and this catalog is {installation}",
            "each catalog needs a storage root of its own: set GRAPH_PLATFORM_STORAGE",
        )
