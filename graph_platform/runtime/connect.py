"""From the runtime's URL to its adapter. A new place to run is a new row here and an adapter beside it."""

from __future__ import annotations

from collections.abc import Callable

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.local.runtime import LocalRuntime
from graph_platform.runtime.protocol import Runtime
from graph_platform.settings import Settings, redacted

_Tell = Callable[[str], None] | None

ADAPTERS: dict[str, Callable[[Settings, str, _Tell], Runtime]] = {
    "local": lambda settings, installation, tell: LocalRuntime(settings.home, installation, tell),
}


def open_runtime(settings: Settings, installation: str, tell: _Tell = None) -> Runtime:
    """The runtime that the settings name; nothing is started or asked yet.

    Args:
        installation: the installation's id; what carries another is never touched.
        tell: where a word about a long wait goes; None for nowhere.

    Raises:
        PlatformError: VALIDATION_FAILED, for a URL without an adapter.
    """
    scheme, colon, rest = settings.runtime.partition(":")
    adapter = ADAPTERS.get(scheme)
    if adapter is None or not colon or rest:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"no runtime for {redacted(settings, 'runtime')!r}",
            f"there is: {', '.join(f'{name}:' for name in ADAPTERS)} (GRAPH_PLATFORM_RUNTIME)",
        )
    return adapter(settings, installation, tell)
