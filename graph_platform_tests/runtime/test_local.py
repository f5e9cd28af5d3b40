"""What only local processes have: folders, locks, pids that are used again, processes that are killed."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import own_folder
from graph_platform.processes.identity import process_identity
from graph_platform.runtime.connect import open_runtime
from graph_platform.runtime.local import turns
from graph_platform.runtime.local.runtime import LocalRuntime
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.protocol import Presence
from graph_platform.runtime.spec import ServerSpec, StoredObject, TaskSpec, spec_document
from graph_platform.settings import Settings
from graph_platform_tests.server_processes import server_processes
from graph_platform_tests.services.runtimes import INSTALLATION, settled
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.snapshots import Snapshot
from graph_platform_tests.waiting import until
from graph_platform_tests.worlds import files_below


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def local(home: Path) -> Iterator[LocalServers]:
    made = LocalServers(home, INSTALLATION)
    yield made
    for observation in made.list():
        made.stop(observation.instance, observation.attempt, 0.2)


def write_spec(home: Path, spec: ServerSpec) -> Path:
    """A file with the spec, for another process to start it from."""
    path = home.parent / "given.json"
    path.write_text(json.dumps(spec_document(spec)))
    return path


def server_pid(home: Path) -> int:
    return int(json.loads((home / "instances/inst-1/process.json").read_text())["pid"])


def test_the_folder_is_private_and_holds_the_token_only_in_its_file(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot]
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    settled(local, "inst-1")
    folder = home / "instances/inst-1"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {item.name for item in folder.iterdir()} == {
        *("spec.json", "token", "endpoint.json", "process.json", "server.log", "server.lock")
    }
    assert {item.stat().st_mode & 0o777 for item in folder.iterdir()} == {0o600}
    token = (folder / "token").read_text()
    way = local.connect("inst-1")
    httpx.post(f"{way.url}/query?q={token}", json={"cypher": "RETURN 'query text'"}, headers=_bearer(way.token))
    process = Path(f"/proc/{server_pid(home)}")
    for place in (process / "cmdline", process / "environ", folder / "server.log", folder / "spec.json"):
        assert token not in place.read_text(errors="replace")
    until(lambda: "POST" in (folder / "server.log").read_text(), "the query is not in the log")
    log = (folder / "server.log").read_text()
    assert "POST /query 200" in log and "query text" not in log


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_server_outlives_the_process_that_started_it(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot]
) -> None:
    program = (
        "import json, os, sys; from pathlib import Path\n"
        "from graph_platform.runtime.local.servers import LocalServers\n"
        "from graph_platform.runtime.spec import ServerSpec, read_spec\n"
        "LocalServers(Path(sys.argv[1]), sys.argv[2]).start(read_spec(ServerSpec, Path(sys.argv[3])))\n"
        "os.kill(os.getpid(), 9)"
    )
    spec = write_spec(home, snapshots["ladybug"].spec("ladybug"))
    starter = subprocess.run([sys.executable, "-c", program, str(home), INSTALLATION, str(spec)], check=False)
    assert starter.returncode == -signal.SIGKILL
    assert settled(local, "inst-1").presence is Presence.READY
    assert len(server_processes(home)["inst-1"]) == 1
    local.stop("inst-1", 1, 5)
    assert server_processes(home) == {}


@pytest.mark.parametrize("step", ["mkdir", "token", "spec", "lock"])
def test_a_start_killed_at_any_step_goes_on_with_the_next(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot], step: str
) -> None:
    program = (
        "import json, os, sys; from pathlib import Path\n"
        "from graph_platform.runtime.local import programs, servers as local\n"
        "from graph_platform.runtime.spec import ServerSpec, read_spec\n"
        "def die(*a, **k): os.kill(os.getpid(), 9)\n"
        "step = sys.argv[4]\n"
        "if step == 'mkdir': local.write_private = die\n"
        "if step == 'token': programs.write_document = die\n"
        "if step == 'spec': programs.Programs._spawn = die\n"
        "if step == 'lock': programs.subprocess.run = die\n"
        "local.LocalServers(Path(sys.argv[1]), sys.argv[2]).start(read_spec(ServerSpec, Path(sys.argv[3])))"
    )
    spec = snapshots["ladybug"].spec("ladybug")
    arguments = [sys.executable, "-c", program, str(home), INSTALLATION, str(write_spec(home, spec)), step]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    [left] = local.list()
    assert left.presence is Presence.ENDED and left.failure is not None
    local.start(spec)
    assert settled(local, "inst-1").presence is Presence.READY
    assert len(server_processes(home)["inst-1"]) == 1


def test_a_reused_pid_is_never_touched(local: LocalServers, home: Path, snapshots: dict[str, Snapshot]) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    settled(local, "inst-1")
    os.kill(server_pid(home), signal.SIGKILL)
    assert settled(local, "inst-1").presence is Presence.ENDED
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        record = home / "instances/inst-1/process.json"
        document = json.loads(record.read_text())
        record.write_text(json.dumps({**document, "pid": bystander.pid}))
        local.stop("inst-1", 1, 0.1)
        assert bystander.poll() is None
        assert local.list() == []
    finally:
        bystander.kill()
        bystander.wait()


def test_a_lock_in_other_hands_is_an_error_and_nobody_is_killed(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot]
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    settled(local, "inst-1")
    record = home / "instances/inst-1/process.json"
    right = record.read_text()
    record.write_text(json.dumps({**json.loads(right), "identity": "another"}))
    with pytest.raises(PlatformError) as refused:
        local.stop("inst-1", 1, 0.1)
    assert refused.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert local.observe("inst-1").presence is Presence.READY
    record.write_text(right)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, "OOM_KILLED"), (signal.SIGSEGV, "UNEXPECTED_TERMINATION")]
)
def test_a_server_that_dies_without_a_word_gets_a_code_and_its_log(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot], number: signal.Signals, code: str
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    settled(local, "inst-1")
    os.kill(server_pid(home), number)
    until(lambda: local.observe("inst-1").presence is Presence.ENDED, "the end is not seen")
    seen = local.observe("inst-1")
    assert seen.failure is not None and seen.failure["code"] == code
    details = seen.failure["details"]
    assert isinstance(details, dict)
    assert details["exit_status"] == -number
    assert "listens on" in details["log_tail"] or "Segmentation fault" in details["log_tail"]


def test_a_server_that_does_not_end_in_time_is_killed(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot]
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    settled(local, "inst-1")
    pid = server_pid(home)
    os.kill(pid, signal.SIGSTOP)
    assert local.observe("inst-1").phase == "unresponsive"
    local.stop("inst-1", 1, 0.2)
    assert process_identity(pid) is None
    assert not (home / "instances/inst-1").exists()


def test_another_installations_folder_is_not_seen_and_not_touched(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot]
) -> None:
    theirs = LocalServers(home, "theirs")
    theirs.start(snapshots["ladybug"].spec("ladybug", installation="theirs"))
    settled(theirs, "inst-1")
    assert local.list() == []
    assert local.observe("inst-1").presence is Presence.ABSENT
    for attempt in (
        lambda: local.stop("inst-1", 1, 1),
        lambda: local.connect("inst-1"),
        lambda: local.start(snapshots["ladybug"].spec("ladybug", attempt=9)),
    ):
        with pytest.raises(PlatformError) as refused:
            attempt()
        assert refused.value.code is ErrorCode.PERMISSION_DENIED
    assert theirs.observe("inst-1").presence is Presence.READY
    theirs.stop("inst-1", 1, 5)


def test_a_list_does_not_wait_for_a_server_that_does_not_answer(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    settled(local, "inst-1")
    monkeypatch.setattr("http.client.HTTPConnection.connect", lambda *_: pytest.fail("a server was asked"))
    os.kill(server_pid(home), signal.SIGSTOP)
    assert [seen.presence for seen in local.list()] == [Presence.ALIVE]
    os.kill(server_pid(home), signal.SIGCONT)


def test_who_waits_for_a_process_that_sleeps_at_its_turn_is_told_which_and_in_the_end_what_to_do(home: Path) -> None:
    sleeping = (
        "import os, signal, sys; from pathlib import Path; from graph_platform.runtime.local.turns import Turns\n"
        "with Turns(Path(sys.argv[1])).take('inst-1') as turn:\n"
        "    turn.end(7); os.kill(os.getpid(), signal.SIGSTOP)"
    )
    folder = own_folder(home / "instances") / ".turns"
    with subprocess.Popen([sys.executable, "-c", sleeping, str(folder)]) as process:
        os.waitpid(process.pid, os.WUNTRACED)
        words: list[str] = []
        clock = SimulatedClock()
        waiting = LocalServers(home, INSTALLATION, words.append, clock)
        with pytest.raises(PlatformError) as held:
            waiting.stop("inst-1", 1, 0)
        assert turns.PATIENCE_SECONDS < clock.now < turns.PATIENCE_SECONDS + 1
        process.send_signal(signal.SIGCONT)
    assert words == [f"waiting for process {process.pid}, which starts or stops inst-1"]
    assert held.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert f"process {process.pid}" in held.value.message
    with turns.Turns(folder).take("inst-1") as turn:  # and who had the turn does not hide what was ended in it
        assert turn.ended == 7


def test_an_end_leaves_a_few_bytes_which_are_gone_after_a_month(
    local: LocalServers, home: Path, snapshots: dict[str, Snapshot]
) -> None:
    local.start(snapshots["ladybug"].spec("ladybug"))
    names = [f"inst-{number}" for number in range(2, 50)]
    for name in names:
        local.stop(name, 7, 0)
    marks = home / "instances/.turns"
    assert {item.name for item in marks.iterdir()} == {"inst-1", *names}
    assert all(item.stat().st_size < 64 and item.stat().st_mode & 0o777 == 0o600 for item in marks.iterdir())
    assert {item.name for item in (home / "instances").iterdir()} == {".turns", "inst-1"}
    assert [seen.instance for seen in local.list()] == ["inst-1"]
    long_ago = time.time() - 31 * 86_400
    for name in ("inst-1", "inst-2", "inst-3"):
        os.utime(marks / name, (long_ago, long_ago))
    with (marks / "inst-3").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        local.stop("inst-4", 7, 0)
    # What is there keeps its own, and so does what somebody is just about.
    assert {item.name for item in marks.iterdir()} == {"inst-1", *names} - {"inst-2"}


_PLACES = ("instances", "instances/inst-1", "instances/.turns")
_FOREIGN = [
    *((place, how) for place in (*_PLACES, "instances/.turns/inst-1") for how in ("symlink", "dangling symlink")),
    *((place, "other user") for place in _PLACES if os.geteuid() == 0),  # root alone makes what another user has
]


@pytest.mark.parametrize(("place", "how"), _FOREIGN)
def test_a_place_that_somebody_else_made_is_refused_and_nothing_is_read_or_written_there(
    home: Path, tmp_path: Path, snapshots: dict[str, Snapshot], place: str, how: str
) -> None:
    theirs = LocalServers(tmp_path / "their home", INSTALLATION)
    theirs.start(snapshots["ladybug"].spec("ladybug"))
    settled(theirs, "inst-1")
    bait = tmp_path / "their home" / place if how == "symlink" else tmp_path / "nothing"
    before = files_below(tmp_path / "their home")
    (home / place).parent.mkdir(parents=True, mode=0o700)
    if how == "other user":
        (home / place).mkdir(mode=0o777)
        os.chown(home / place, 4321, 4321)
    else:
        (home / place).symlink_to(bait)
    local = LocalServers(home, INSTALLATION)
    spec = snapshots["ladybug"].spec("ladybug")
    acts: list[Callable[[], object]] = [lambda: local.start(spec), lambda: local.stop("inst-1", 1, 0)]
    if ".turns" not in place:
        acts += [lambda: local.observe("inst-1"), lambda: local.connect("inst-1")]
    for act in acts:
        with pytest.raises(PlatformError) as refused:
            act()
        assert refused.value.code in (ErrorCode.PERMISSION_DENIED, ErrorCode.STORAGE_ERROR)
        assert str(home / place) in refused.value.message
    if place == "instances":
        with pytest.raises(PlatformError, match="instances"):
            local.list()
    else:
        assert local.list() == []
    assert server_processes(home) == {}
    assert files_below(tmp_path / "their home") == before
    assert not (tmp_path / "nothing").exists()
    assert theirs.observe("inst-1").presence is Presence.READY
    theirs.stop("inst-1", 1, 5)


_GARBAGE = {
    "nothing": b"",
    "half": b'{"pid": ',
    "another": b"[1]",
    "odd": b'{"pid": "x", "url": 7, "code": "NO_CODE", "message": 1, "step": 3}\n[]\n{"step": {}}',
    "no error": b'{"pid": "x", "identity": 1, "url": 7, "code": "NO_CODE", "message": 1}',
    "bytes": b"\xff\xfe\x00",
}
_WRITTEN = ("process.json", "endpoint.json", "failure.json", "exit-status", "output", "token", "server.log", "task.log")


@pytest.mark.parametrize("name", [*_WRITTEN, "spec.json"])
@pytest.mark.parametrize("content", [*_GARBAGE.values(), None], ids=[*_GARBAGE, "folder"])
def test_garbage_among_the_files_hides_nobody_and_is_cleared_away(
    home: Path, name: str, content: bytes | None, snapshots: dict[str, Snapshot]
) -> None:
    runtime = LocalRuntime(home, INSTALLATION)
    spec = snapshots["ladybug"].spec("ladybug")
    task = TaskSpec(INSTALLATION, "task-1", 1, "nowhere", "x", {}, StoredObject(home.as_uri(), "result"), 60.0, "", 0)
    documents = {
        "instances/inst-1": spec_document(spec),
        "instances/inst-2": spec_document(replace(spec, instance="inst-2")),
        "tasks/task-1": spec_document(task),
        "tasks/task-2": spec_document(replace(task, task="task-2")),
    }
    for place, document in documents.items():
        own_folder(home / place.partition("/")[0])
        (own_folder(home / place) / "spec.json").write_text(json.dumps(document))
        (home / place / "exit-status").write_text("1")
    (home / "instances/stray").write_text("no folder")
    for place in ("instances/inst-1", "tasks/task-1"):
        (home / place / name).unlink(missing_ok=True)
        if content is None:
            (home / place / name / "inside").mkdir(parents=True)
        else:
            (home / place / name).write_bytes(content)
    listed = [seen.instance for seen in runtime.servers.list()], [seen.task for seen in runtime.tasks.list()]
    assert listed == ((["inst-2"], ["task-2"]) if name == "spec.json" else (["inst-1", "inst-2"], ["task-1", "task-2"]))
    if name != "spec.json":
        failed = runtime.servers.observe("inst-1").failure, runtime.tasks.observe("task-1").failure
        assert [failure and failure["code"] for failure in failed] == ["UNEXPECTED_TERMINATION"] * 2
    runtime.servers.stop("inst-1", 1, 0)
    runtime.tasks.stop("task-1", 1)
    assert [seen.instance for seen in runtime.servers.list()] == ["inst-2"]
    assert not (home / "instances/inst-1").exists() and not (home / "tasks/task-1").exists()


def test_a_list_costs_the_same_for_each_of_five_thousand_as_for_each_of_fifty(
    home: Path, snapshots: dict[str, Snapshot]
) -> None:
    local = LocalServers(home, INSTALLATION)
    own_folder(home / "instances")
    spec = snapshots["ladybug"].spec("ladybug")
    calls: list[str] = []
    counting = False
    sys.addaudithook(lambda event, _: calls.append(event) if counting else None)
    each = {}
    for there, number in ((0, 50), (50, 5000)):
        for made in range(there, number):
            folder = home / f"instances/inst-{made}"
            folder.mkdir(mode=0o700)
            document = spec_document(replace(spec, instance=folder.name))
            (folder / "spec.json").write_text(json.dumps(document))
            (folder / "exit-status").write_text("0")
        calls.clear()
        counting = True
        found = local.list()
        counting = False
        assert len(found) == len({seen.instance for seen in found}) == number
        each[number] = Counter(call.partition(".")[0] for call in calls)
    assert each[5000]["open"] / 5000 <= each[50]["open"] / 50 <= 6
    assert each[5000]["os"] - each[50]["os"] < 10
    assert not each[5000].keys() & {"socket", "subprocess"}


def test_the_settings_name_the_runtime(home: Path) -> None:
    settings = replace(Settings(), home=home)
    assert isinstance(open_runtime(settings, "x"), LocalRuntime)
    for url in ("kubernetes:", "kubernetes://", "kubernetes://A_b", "local", "local:x", "docker:", ""):
        with pytest.raises(PlatformError) as refused:
            open_runtime(replace(settings, runtime=url), "x")
        assert refused.value.code is ErrorCode.VALIDATION_FAILED
        assert "local:" in str(refused.value.hint) and "kubernetes://NAMESPACE" in str(refused.value.hint)
    with pytest.raises(PlatformError, match="pods do not reach storage in a folder"):
        open_runtime(replace(settings, runtime="kubernetes://here", storage=f"file://{home}"), "x")


def test_an_identity_is_a_process_and_not_a_number() -> None:
    child = subprocess.Popen(["sleep", "60"])
    identity = process_identity(child.pid)
    assert identity is not None and identity == process_identity(child.pid) != process_identity(os.getpid())
    child.kill()
    until(lambda: process_identity(child.pid) is None, "a zombie is taken for a process")
    child.wait()
    assert process_identity(child.pid) is None
