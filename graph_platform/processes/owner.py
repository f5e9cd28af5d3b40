"""Who holds a lease: a name for this process that no other process has, now or later.

On the same machine it also tells at once that an owner is dead, so that a killed run's work need not wait until its
lease is over. Across machines only the lease decides. Either way the attempt number fences off an owner that was
believed dead and was not.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from graph_platform.processes.identity import process_identity


@cache
def _machine() -> str:
    """This machine, boot and pid namespace: pids mean the same to those who share it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        import psutil  # noqa: PLC0415  not on Linux, where a list comes faster without it

        boot, namespace = str(psutil.boot_time()), ""
    return f"{socket.gethostname()}+{boot}+{namespace}"


def this_process(purpose: str) -> str:
    """A name for what this process does under `purpose` (a run id), unique for ever."""
    return f"{_machine()}/{os.getpid()}/{process_identity(os.getpid())}/{purpose}"


def known_dead(owner: str) -> bool:
    """Whether the owner was a process of this machine that is gone. False also means: can't tell from here."""
    machine, _, rest = owner.partition("/")
    if machine != _machine():
        return False
    pid, identity, _ = rest.split("/", 2)
    return process_identity(int(pid)) != identity


def purpose(owner: str) -> str:
    """The run id (or other purpose) inside an owner's name."""
    return owner.split("/", 3)[3]
