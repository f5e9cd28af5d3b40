"""The kill tests' view of `killed`: gives it orders, and looks at what is left through a platform of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.settings import Settings
from graph_platform_tests.worlds import BY, Recorder, make_settings, people

_OF_THE_CLOUDS = ("AWS_", "STORAGE_EMULATOR_HOST", "NO_PROXY")


class Killing:
    """A world below `home` with a mapping `people`, and the program whose processes are killed in it.

    With settings of its own, the caller makes the mapping.
    """

    def __init__(self, home: Path, catalog_url: str, settings: Settings | None = None) -> None:
        self.settings = settings or make_settings(home, catalog_url)
        self.platform = Platform.open(self.settings)
        if settings is None:
            self.platform.mappings.create(CreateMapping(mapping=people()), BY, Recorder())
        self.program = subprocess.Popen(
            [sys.executable, "-m", "graph_platform_tests.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": ":".join(sys.path),
                # How a bucket is reached is no setting of ours: its SDK looks there.
                **{name: value for name, value in os.environ.items() if name.startswith(_OF_THE_CLOUDS)},
                **self.settings.environment(),
            },
        )

    def order(self, act: str, name: str = "", **how: Any) -> dict[str, Any]:
        """Have it done, and learn its exit status (-9 for a kill) and seconds."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(json.dumps({"act": act, "name": name, **how}) + "\n")
        self.program.stdin.flush()
        answer: dict[str, Any] = json.loads(self.program.stdout.readline())
        return answer

    def close(self) -> None:
        """End the program."""
        assert self.program.stdin is not None
        self.program.stdin.close()
        self.program.wait(timeout=30)
        assert self.program.stdout is not None
        self.program.stdout.close()
        self.platform.__exit__(None, None, None)
