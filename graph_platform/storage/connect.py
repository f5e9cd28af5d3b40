"""From a storage URL to its adapter. A new kind of storage is a new row here and an adapter beside it."""

from __future__ import annotations

from collections.abc import Callable

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.redaction import masked
from graph_platform.storage.file import FileStorage
from graph_platform.storage.protocol import Storage

# A cloud's SDK costs a third of a second to import, which a server on a local file must not pay.


def _s3(url: str) -> Storage:
    from graph_platform.storage.s3 import s3_storage  # noqa: PLC0415

    return s3_storage(url)


def _gcs(url: str) -> Storage:
    from graph_platform.storage.gcs import gcs_storage  # noqa: PLC0415

    return gcs_storage(url)


ADAPTERS: dict[str, Callable[[str], Storage]] = {"file": FileStorage, "s3": _s3, "gs": _gcs}


def open_storage(url: str) -> Storage:
    """The storage at a URL; nothing is created or asked yet.

    Raises:
        PlatformError: VALIDATION_FAILED, for a scheme without an adapter or a URL that the adapter cannot use.
    """
    scheme = url.partition(":")[0].lower() if ":" in url else ""
    adapter = ADAPTERS.get(scheme)
    if adapter is None:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"there is no storage adapter for {masked(url)!r}",
            f"there is one for: {', '.join(f'{scheme}:' for scheme in ADAPTERS)}",
        )
    try:
        return adapter(url)
    except ValueError:  # a host that cannot be read; the cause may quote what is secret
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"the storage URL {masked(url)!r} cannot be read",
            "write file:///FOLDER, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX",
        ) from None
