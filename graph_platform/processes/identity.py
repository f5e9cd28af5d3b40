"""Which process a number means: a pid is used again, so it is only ever trusted together with when it was started."""

from __future__ import annotations

import contextlib
from pathlib import Path


def process_identity(pid: int) -> str | None:
    """A text that no other process has, or None if no such process lives (a zombie does not).

    On Linux from the kernel's boot id and start ticks, which do not move when the clock is set; elsewhere from the
    creation time.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _by_creation_time(pid)
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if fields[0] in ("Z", "X") else f"{boot}:{fields[19]}"


def _by_creation_time(pid: int) -> str | None:
    import psutil  # noqa: PLC0415 — not on Linux, where a server starts faster without it

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return f"created:{process.create_time():.2f}"
    return None
