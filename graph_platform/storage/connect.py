"""From a storage URL to its adapter. A new kind of storage is a new row here and an adapter beside it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.file import FileStorage
from graph_platform.storage.protocol import Storage

ADAPTERS: dict[str, Callable[[str], Storage]] = {"file": FileStorage}


def open_storage(url: str) -> Storage:
    """The storage at a URL; nothing is created or asked yet.

    Raises:
        PlatformError: VALIDATION_FAILED, for a scheme without an adapter or a URL that the adapter cannot use.
    """
    adapter = ADAPTERS.get(urlsplit(url).scheme)
    if adapter is None:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"no storage adapter for {url!r}",
            f"there is one for: {', '.join(f'{scheme}:' for scheme in ADAPTERS)}",
        )
    return adapter(url)
