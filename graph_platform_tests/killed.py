"""A program for the kill tests: does what it is told in processes that its parent kills, and says how they ended.

It imports everything once and forks, because a hundred fresh interpreters would spend their time on imports. Each
child leads a process group of its own, and the whole group is killed. Reads orders (a JSON document a line) on
standard input and answers each with one.

    {"act": "snapshot", "name": "s1", "failpoint": "job-claimed"}     make snapshot s1, die at that point
    {"act": "snapshot", "name": "s1", "kill_after": 0.25}             make it, be killed after so many seconds
    {"act": "snapshot", "name": "s1", "stop_at": "job-claimed"}       make it, be put to sleep there, and tell its pid
    {"act": "continue", "pid": 123}                                   let that one go on, and end
    {"act": "launch", "name": "i1"}                                   serve the mapping's snapshot as instance i1, whole
    {"act": "suspend", "name": "i1"}                                  and so for `resume` and `terminate`
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from graph_platform import failpoints
from graph_platform.errors import PlatformError
from graph_platform.instance.requests import LaunchInstance, ResumeInstance, SuspendInstance, TerminateInstance
from graph_platform.platform import Platform
from graph_platform.settings import Settings
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform_tests.worlds import BY, Recorder

ACTS: dict[str, Callable[[Platform, str], object]] = {
    "snapshot": lambda platform, name: platform.snapshots.create(
        CreateSnapshot(mapping="people", name=name), BY, Recorder()
    ),
    "launch": lambda platform, name: platform.instances.launch(
        LaunchInstance(snapshot="people", name=name), BY, Recorder()
    ),
    "suspend": lambda platform, name: platform.instances.suspend(SuspendInstance(instance=name), BY, Recorder()),
    "resume": lambda platform, name: platform.instances.resume(ResumeInstance(instance=name), BY, Recorder()),
    "terminate": lambda platform, name: platform.instances.terminate(TerminateInstance(instance=name), BY, Recorder()),
}


def act(order: dict[str, Any], settings: Settings) -> None:
    """In the child: do it and leave with 0, or say why not and leave with 1."""
    os.setsid()
    failpoints._ARMED = order.get("failpoint")
    if "stop_at" in order:
        failpoints._ARMED, failpoints._SIGNAL = order["stop_at"], signal.SIGSTOP
    try:
        with Platform.open(settings) as platform:
            ACTS[order["act"]](platform, order["name"])
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def carry_out(order: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Fork, kill if ordered, and tell how the child ended and how long it took, in seconds."""
    started = time.monotonic()
    if order["act"] == "continue":
        child = order["pid"]
        os.killpg(child, signal.SIGCONT)
    else:
        child = os.fork()
    if child == 0:
        act(order, settings)
    if "stop_at" in order:
        _, status = os.waitpid(child, os.WUNTRACED)
        return {"stopped": os.WIFSTOPPED(status), "pid": child}
    if "kill_after" in order:
        time.sleep(order["kill_after"])
        with contextlib.suppress(ProcessLookupError):  # it may be done before
            os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}


def main() -> None:
    settings = Settings.load()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(json.loads(line), settings)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
