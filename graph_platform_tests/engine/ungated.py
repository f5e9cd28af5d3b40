"""The worker without the gate's second line, for what the kernel has to keep when a statement got past both.

`unconfined` as its second argument leaves the kernel out too, which shows that a statement would do what it says.
"""

from __future__ import annotations

import sys
from typing import Any

from graph_platform.confined.program import serve
from graph_platform.engine.kuzu_family import KuzuFamilyDatabase
from graph_platform.engine.worker import program


def _no_operators(*_: Any, **__: Any) -> frozenset[str]:
    return frozenset()


if __name__ == "__main__":
    KuzuFamilyDatabase.operators = _no_operators  # type: ignore[method-assign]
    if sys.argv[5:] == ["unconfined"]:
        setattr(program, "confine", lambda *_: None)  # noqa: B010 - it is a name that was imported there
    serve(program._opened, announced=program._announced, reserves=True)
