"""The runtime of a laptop, and of tests: processes of this machine that outlive whoever started them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from graph_platform.polling import SYSTEM, Clock
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.local.tasks import LocalTasks


class LocalRuntime:
    """Servers and tasks below one home.

    Args:
        tell: where a word goes when another process that starts or stops one of them is waited for.
    """

    def __init__(
        self, home: Path, installation: str, tell: Callable[[str], None] | None = None, clock: Clock = SYSTEM
    ) -> None:
        self._servers = LocalServers(home, installation, tell, clock)
        self._tasks = LocalTasks(home, installation, tell, clock)

    @property
    def servers(self) -> LocalServers:
        """Servers as processes on loopback."""
        return self._servers

    @property
    def tasks(self) -> LocalTasks:
        """Tasks as processes."""
        return self._tasks
