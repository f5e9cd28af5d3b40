"""Namespaces of network, mounts and processes, with one way to the host. All that runs in them ends with them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from graph_platform_tests.services.missing import missing
from graph_platform_tests.waiting import until

_FIRST = Path(__file__).with_name("first.py")
_CGROUPS = Path("/sys/fs/cgroup")
_MOST = 64
STATE_PREFIX = "gp-node-"


class Sandbox:
    """Made with its first process, ended by `close`, or by the kernel when the process that made it ends.

    Its network joins the host's by a pair of interfaces: the host has `host_address`, the sandbox `address`, and the
    host reaches `pods` through it.

    Args:
        state: a folder of its own, for what its programs write.
    """

    def __init__(self, state: Path) -> None:
        if os.geteuid() != 0:
            missing("the right to make namespaces", "sudo make cluster")
        self._number, self._claim = _number(state)
        self.name = f"gpk{self._number}"
        network = f"10.213.{self._number}"
        self.host_address, self.address = f"{network}.1", f"{network}.2"
        self.pods, self.services = f"10.214.{self._number}.0/24", f"10.215.{self._number}.0/24"
        self.state = state
        # A person's Ctrl-C is for this process, which then ends the sandbox in order.
        with (state / "sandbox.log").open("wb") as log:
            self._outer = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"),
                    *("--kill-child=KILL", "--propagation", "private", sys.executable, "-S", str(_FIRST), str(state)),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                text=True,
            )
        assert self._outer.stdout is not None
        assert self._outer.stdout.readline() == "made\n", "the sandbox was not made"
        self.first = psutil.Process(self._outer.pid).children()[0].pid
        self._join()
        for controller in _controllers():
            (controller / self.name).mkdir(exist_ok=True)

    def _join(self) -> None:
        inside, host_end, own_end = str(self.first), f"{self.name}h", f"{self.name}n"
        _ip("link", "add", host_end, "type", "veth", "peer", "name", own_end, "netns", inside)
        _ip("addr", "add", f"{self.host_address}/30", "dev", host_end)
        _ip("link", "set", host_end, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "addr", "add", f"{self.address}/30", "dev", own_end)
        self.run("ip", "link", "set", own_end, "up")
        self.run("ip", "route", "add", "default", "via", self.host_address)
        self.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        _ip("route", "add", self.pods, "via", self.address)

    def inside(self, *command: str) -> list[str]:
        """The command that runs this one in the sandbox."""
        return ["nsenter", "--target", str(self.first), "--net", "--mount", "--pid", "--wd=/", "--", *command]

    def run(self, *command: str, **options: object) -> str:
        """Run a command in it to its end, and return what it printed."""
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
        return str(done.stdout)

    def start(self, command: Sequence[str], log: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a program in it."""
        return subprocess.Popen(
            self.inside(*command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    def close(self) -> None:
        """End it, with all that runs in it, and take away what the host had of it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self._outer.wait(30)
        if self._outer.stdout:
            self._outer.stdout.close()
        subprocess.run(["ip", "link", "del", f"{self.name}h"], capture_output=True, check=False)
        for controller in _controllers():
            until(lambda top=controller / self.name: _removed(top), f"{controller / self.name} is in use", 30)  # type: ignore[misc]
        shutil.rmtree(self.state, ignore_errors=True)
        self._claim.close()


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"


def _controllers() -> list[Path]:
    """The folder of each controller of cgroup v1, or the one of v2."""
    if (_CGROUPS / "cgroup.controllers").is_file():
        return [_CGROUPS]
    return [folder for folder in _CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _removed(top: Path) -> bool:
    """Whether a cgroup and those below it are gone now; processes that were killed may take a moment."""
    for folder in sorted((each for each in (top, *top.rglob("*")) if each.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not top.exists()


def _number(state: Path) -> tuple[int, IO[str]]:
    """The lowest number that no sandbox of this machine has, and the file whose lock says so."""
    for number in range(1, _MOST):
        claim = Path(f"/tmp/graph-platform-node-{number}.lock").open("a+", encoding="utf-8")  # noqa: SIM115 - kept
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            claim.close()
            continue
        # What a killed one left: nobody else has this number.
        subprocess.run(["ip", "link", "del", f"gpk{number}h"], capture_output=True, check=False)
        claim.seek(0)
        left = Path(claim.read().strip() or "/nowhere")
        if left.name.startswith(STATE_PREFIX) and left != state:
            shutil.rmtree(left, ignore_errors=True)
        claim.truncate(0)
        claim.write(str(state))
        claim.flush()
        return number, claim
    raise AssertionError(f"{_MOST} nodes are running on this machine")
