"""The first process of a sandbox: makes its mounts, says so, and reaps whatever is left to it. It ends with a signal.

Run as a file, by `Sandbox`: it imports nothing of the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OWN = ("/run", "/var/lib/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log")
"""Folders that the node's programs write to wherever they are told to write: each is the sandbox's own here."""

WRITTEN = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
"""The kubelet sets these for the whole machine: it writes to files in their place instead."""


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main() -> None:
    state = Path(sys.argv[1])
    mount("--make-rprivate", "/")
    mount("-t", "proc", "proc", "/proc")
    for place in OWN:
        own = state / "own" / place.strip("/").replace("/", "-")
        own.mkdir(parents=True, exist_ok=True)
        Path(place).mkdir(parents=True, exist_ok=True)
        mount("--bind", str(own), place)
    for name in WRITTEN:
        own = state / "sysctl" / name.replace("/", "-")
        own.parent.mkdir(exist_ok=True)
        own.write_bytes((Path("/proc/sys") / name).read_bytes())
        mount("--bind", str(own), f"/proc/sys/{name}")
    mount("--make-rshared", "/")
    print("made", flush=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            # Nothing to reap now; a process that enters later becomes its child when its own parent is gone.
            subprocess.run(["sleep", "1"], check=False)


if __name__ == "__main__":
    main()
