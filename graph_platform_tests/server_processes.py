"""The servers of local instances, as the kernel lists them, whoever started them."""

from __future__ import annotations

from pathlib import Path

import psutil


def server_processes(home: Path) -> dict[str, list[psutil.Process]]:
    """The processes that serve an instance of this home, by the instance's id.

    Neither the shell that writes down how a server ended, nor a child of a server that has not become another program
    yet: both still show the server's arguments.
    """
    found: dict[int, tuple[str, int, psutil.Process]] = {}
    for process in psutil.process_iter(["cmdline", "name", "ppid"]):
        command = process.info["cmdline"] or [""]
        if "graph_platform.server" in command and process.info["name"] != "sh":
            spec = Path(command[command.index("--spec") + 1])
            if spec.is_relative_to(home):
                found[process.pid] = (spec.parent.name, process.info["ppid"], process)
    servers: dict[str, list[psutil.Process]] = {}
    for instance, parent, process in found.values():
        if parent not in found:
            servers.setdefault(instance, []).append(process)
    return servers
