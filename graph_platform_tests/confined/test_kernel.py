"""What the kernel keeps a process from: each thing is tried from inside, and works for a process that is not kept."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graph_platform.confined.kernel import kept
from graph_platform.confined.process import ConfinedProcess
from graph_platform_tests.confined import reaching

Ask = Callable[..., Any]
REFUSED = ("EACCES", "EPERM", "EXDEV")

needs_landlock = pytest.mark.skipif(not kept().landlock, reason="a kernel with Landlock: boot with lsm=landlock,…")
needs_seccomp = pytest.mark.skipif(not kept().seccomp, reason="a kernel that filters system calls, x86_64 or aarch64")


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("own", "readable", "secret", "other")}
    made["own"].mkdir()
    made["other"].mkdir()
    for file in ("readable", "secret", "own/kept", "other/kept"):
        (tmp_path / file).write_text("text")
    return made


@pytest.fixture
def ask(places: dict[str, Path]) -> Iterator[Ask]:
    opening = {"readable": [str(places["readable"])], "writable": [str(places["own"])]}
    process = ConfinedProcess(
        "graph_platform_tests.confined.reaching", json.dumps(opening).encode(), memory_bytes=200 * 1024**2
    )
    yield lambda *what: json.loads(process.ask(json.dumps([*map(_plain, what)]).encode(), 60))
    process.end()


def _plain(argument: object) -> object:
    return str(argument) if isinstance(argument, Path) else argument


@needs_landlock
def test_it_reads_and_writes_what_is_its_own(ask: Ask, places: dict[str, Path]) -> None:
    own = places["own"]
    assert ask("read", places["readable"]) == "done"
    assert ask("write", own / "new") == "done"
    assert ask("rename", own / "new", own / "newer") == "done"
    assert ask("list", own) == "done"
    assert ask("remove", own / "newer") == "done"


@needs_landlock
def test_no_other_file_can_be_read_written_made_listed_moved_or_removed(ask: Ask, places: dict[str, Path]) -> None:
    secret, other, own = places["secret"], places["other"], places["own"]
    for tried in (
        *(("read", secret), ("read", Path("/etc/passwd")), ("read", Path("/proc/self/environ"))),
        *(("read", Path("/proc/1/environ")), ("list", Path("/tmp")), ("list", other)),
        *(("write", secret), ("write", places["readable"]), ("write", other / "new"), ("write", Path("/tmp/new"))),
        *(("write", Path("/dev/shm/new")), ("remove", other / "kept"), ("rename", other / "kept", own / "mine")),
        *(("rename", own / "kept", other / "theirs"), ("link", secret, own / "secret")),
    ):
        assert ask(*tried) in REFUSED, tried
    assert secret.read_text() == (other / "kept").read_text() == (own / "kept").read_text() == "text"


@needs_seccomp
def test_there_is_no_network(ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path / "own" / "socket")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(path)
        unix.listen()
        for tried in (
            *(("tcp", tcp.getsockname()[1]), ("udp", udp.getsockname()[1]), ("unix", path)),
            *(("netlink",), ("listen",)),
        ):
            assert ask(*tried) == "EPERM", tried
            _does(*tried)


@needs_seccomp
def test_no_program_is_started_and_no_process_touched(ask: Ask) -> None:
    for tried in (("fork",), ("run",), ("spawn",), ("become",), ("kill", os.getpid()), ("kill", 1)):
        assert ask(*tried) in REFUSED, tried
    for tried in (("fork",), ("run",), ("spawn",), ("kill", os.getpid())):
        _does(*tried)


@needs_seccomp
def test_there_is_no_way_round_the_filter(ask: Ask) -> None:
    assert ask("uring") == "EPERM"
    assert ask("other convention") == "EPERM"


@needs_landlock
def test_a_thread_that_is_started_later_is_kept_too(ask: Ask, places: dict[str, Path]) -> None:
    assert ask("read in a thread", places["readable"]) == "done"
    assert ask("read in a thread", places["secret"]) in REFUSED


def test_what_is_reserved_raises_the_limit_by_as_much_and_given_back_lowers_it(ask: Ask) -> None:
    size = 500 * 1024**2
    first, raised, lowered, used = ask("reserve", size)
    assert raised - first == pytest.approx(size, abs=2 * 1024**2)
    assert lowered == pytest.approx(first, abs=2 * 1024**2)
    assert lowered - used > 100 * 1024**2


def _does(what: str, *arguments: Any) -> None:
    """It works here, so that its refusal there is the kernel's."""
    reaching.ACTS[what](*arguments)
