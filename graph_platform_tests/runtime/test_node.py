"""The node leaves nothing on the machine, whichever way it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from graph_platform_tests.services.kubernetes.programs import VERSION
from graph_platform_tests.waiting import until

PROGRAM = """
import json, sys
from graph_platform_tests.services.kubernetes.node import Node
node = Node()
nodes = json.loads(node.kubectl("get", "nodes", "-o", "json"))["items"]
print(json.dumps({"name": node.sandbox.name, "state": str(node.state), "first": node.sandbox.first,
                  "version": nodes[0]["status"]["nodeInfo"]["kubeletVersion"]}), flush=True)
sys.stdin.read()
node.close()
"""


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_nothing_of_a_node_is_left(killed: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["version"] == VERSION
        if killed:
            os.kill(process.pid, signal.SIGKILL)
        process.stdin.close()
        process.wait(60)
    until(lambda: not psutil.pid_exists(told["first"]), "its first process lives")
    until(lambda: not _programs(told["state"]), "a program of it lives")
    assert told["state"] not in Path("/proc/mounts").read_text()
    until(lambda: f"{told['name']}h" not in psutil.net_if_addrs(), "its interface is there")
    if not killed:
        assert not Path(told["state"]).exists()
        assert not [folder for folder in Path("/sys/fs/cgroup").glob(f"*/{told['name']}") if folder.is_dir()]


def _programs(state: str) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(state in argument for argument in process.info["cmdline"] or ()):
            found.append(" ".join(process.info["cmdline"]))
    return found
