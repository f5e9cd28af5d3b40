"""From the runtime's URL to its adapter. A new place to run is a new row here and an adapter beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.local.runtime import LocalRuntime
from graph_platform.runtime.protocol import Runtime
from graph_platform.settings import Settings, redacted

_Tell = Callable[[str], None] | None


def _local(settings: Settings, installation: str, tell: _Tell, rest: str) -> Runtime | None:
    return None if rest else LocalRuntime(settings.home, installation, tell)


def _kubernetes(settings: Settings, installation: str, tell: _Tell, rest: str) -> Runtime | None:
    namespace = rest.removeprefix("//")
    if not rest.startswith("//") or not _NAMESPACE.fullmatch(namespace):
        return None
    # The client of a cluster takes long to import, and a laptop never needs it.
    from graph_platform.runtime.kubernetes.runtime import kubernetes_runtime  # noqa: PLC0415

    runtime: Runtime = kubernetes_runtime(settings, installation, namespace)
    return runtime


_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

ADAPTERS: Mapping[str, tuple[str, Callable[[Settings, str, _Tell, str], Runtime | None]]] = MappingProxyType(
    {"local": ("local:", _local), "kubernetes": ("kubernetes://NAMESPACE", _kubernetes)}
)
"""How a URL of each scheme looks, and its adapter: None for a URL that does not."""


def open_runtime(settings: Settings, installation: str, tell: _Tell = None) -> Runtime:
    """The runtime that the settings name; nothing is started or asked yet.

    Args:
        installation: the installation's id; what carries another is never touched.
        tell: where a word about a long wait goes; None for nowhere.

    Raises:
        PlatformError: VALIDATION_FAILED, for a URL without an adapter, or a cluster that nothing leads to.
    """
    scheme, _, rest = settings.runtime.partition(":")
    _, adapter = ADAPTERS.get(scheme, ("", lambda *_: None))
    runtime: Runtime | None = adapter(settings, installation, tell, rest)
    if runtime is None or ":" not in settings.runtime:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED,
            f"no runtime for {redacted(settings, 'runtime')!r}",
            f"there is: {', '.join(form for form, _ in ADAPTERS.values())} (GRAPH_PLATFORM_RUNTIME)",
        )
    return runtime
