"""From an engine's name to the engine, once per process. A new engine is a new row here and an adapter beside it."""

from __future__ import annotations

import importlib
import sys
import threading

from graph_platform.engine.protocol import Engine
from graph_platform.errors import ErrorCode, PlatformError

ADAPTERS: dict[str, str] = {"ladybug": "graph_platform.engine.ladybug", "ryugraph": "graph_platform.engine.ryugraph"}

_lock = threading.Lock()


def load_engine(name: str) -> Engine:
    """Import the engine's wheel into this process and return it; again and again is the same engine.

    Raises:
        PlatformError: VALIDATION_FAILED for a name without an adapter, INVALID_STATE if this process has imported
            another engine, DATABASE_ERROR if the wheel cannot be imported.
    """
    if name not in ADAPTERS:
        raise PlatformError(
            ErrorCode.VALIDATION_FAILED, f"no engine is called {name!r}", f"there are: {', '.join(ADAPTERS)}"
        )
    with _lock:
        other = next((engine for engine in ADAPTERS if engine != name and engine in sys.modules), None)
        if other:
            raise PlatformError(
                ErrorCode.INVALID_STATE,
                f"this process has imported {other}, so it cannot import {name}: the second import breaks",
                "use a process of its own per engine",
            )
        try:
            module = importlib.import_module(ADAPTERS[name])
        except ImportError as error:
            raise PlatformError(
                ErrorCode.DATABASE_ERROR, f"the wheel of {name} cannot be imported: {error}", f"pip install {name}"
            ) from error
    engine: Engine = module.engine()
    return engine
