"""What every runtime promises of tasks. A new adapter is a new line in `services.runtimes.PLACES`."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.awaited import awaited
from graph_platform.runtime.protocol import Runtime, TaskObservation, TaskPresence, Tasks, TaskStep
from graph_platform.runtime.spec import StoredObject, TaskSpec
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform_tests.runtime.programs import PROGRAM
from graph_platform_tests.services.runtimes import INSTALLATION, Place
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.waiting import until

BEAT = "beat"


@pytest.fixture
def storage(place: Place) -> Storage:
    return open_storage(place.storage_url)


Make = Callable[..., TaskSpec]


@pytest.fixture
def make(storage: Storage) -> Make:
    """Specs of tasks that do one of the acts of `programs`."""

    def made(
        act: str,
        *,
        task: str = "task-1",
        attempt: int = 1,
        seconds: float = 600.0,
        memory_bytes: int = 0,
        installation: str = INSTALLATION,
        program: str = PROGRAM,
        **order: Any,
    ) -> TaskSpec:
        return TaskSpec(
            installation=installation,
            task=task,
            attempt=attempt,
            program=program,
            doing="rehearsing",
            order={"act": act, "storage": storage.url, "beat": f"{BEAT}/{task}-{attempt}", **order},
            result=StoredObject(storage.url, f"results/{task}-{attempt}.json"),
            seconds=seconds,
            seconds_hint="give it more time",
            memory_bytes=memory_bytes,
        )

    return made


def ended(tasks: Tasks, task: str = "task-1") -> TaskObservation:
    """Wait until the task has come to its end."""

    def look() -> TaskObservation | None:
        seen = tasks.observe(task)
        return None if seen.presence is TaskPresence.RUNNING else seen

    found = until(look, f"{task} does not end")
    assert found is not None
    return found


def beating(storage: Storage, spec: TaskSpec) -> str:
    """Wait until the task gives signs of life that it has not given before."""
    before = beat(storage, spec)
    return until(lambda: beat(storage, spec) not in ("", before) and beat(storage, spec), "it does not live") or ""


def beat(storage: Storage, spec: TaskSpec) -> str:
    try:
        return storage.read(spec.order["beat"]).decode()
    except PlatformError:
        return ""


def still(storage: Storage, spec: TaskSpec) -> bool:
    """Whether the task gives no signs of life for the time in which it would have given ten."""
    before = beat(storage, spec)
    threading.Event().wait(0.5)
    return beat(storage, spec) == before


def test_a_task_runs_tells_its_steps_and_leaves_its_result(tasks: Tasks, storage: Storage, make: Make) -> None:
    spec = make("tell", steps=50)
    assert tasks.observe("task-1") == TaskObservation("task-1", 0, TaskPresence.ABSENT)
    tasks.start(spec)
    done = ended(tasks)
    assert (done.presence, done.attempt, done.result, done.failure) == (TaskPresence.DONE, 1, {}, None)
    assert done.steps == tuple(TaskStep("loading", f"Table{number}", number, 50) for number in range(50))
    assert tasks.list() == [TaskObservation("task-1", 1, TaskPresence.DONE)]
    tasks.stop("task-1", 1)
    assert tasks.observe("task-1").presence is TaskPresence.ABSENT
    assert list(tasks.list()) == []
    tasks.stop("task-1", 1)
    assert storage.read(spec.result.key) == b"{}"


def test_a_result_of_a_megabyte_comes_back_whole(tasks: Tasks, make: Make) -> None:
    tasks.start(make("answer", bytes=1024**2))
    assert ended(tasks).result == {"text": "x" * 1024**2}


def test_two_tasks_run_beside_each_other_and_one_ends_without_the_other(
    tasks: Tasks, storage: Storage, make: Make
) -> None:
    first, second = make("beat"), make("beat", task="task-2")
    tasks.start(first)
    tasks.start(second)
    beating(storage, first)
    beating(storage, second)
    assert [(seen.task, seen.presence) for seen in tasks.list()] == [
        ("task-1", TaskPresence.RUNNING),
        ("task-2", TaskPresence.RUNNING),
    ]
    tasks.stop("task-1", 1)
    assert still(storage, first)
    beating(storage, second)
    assert [seen.task for seen in tasks.list()] == ["task-2"]


def test_ids_of_servers_and_of_tasks_have_nothing_to_do_with_each_other(runtime: Runtime, make: Make) -> None:
    runtime.servers.stop("task-1", 9, 0)
    runtime.tasks.start(make("answer", bytes=1))
    assert ended(runtime.tasks).presence is TaskPresence.DONE
    assert list(runtime.servers.list()) == []


def test_a_task_that_is_started_again_and_again_runs_once(tasks: Tasks, storage: Storage, make: Make) -> None:
    spec = make("count")
    starters = [threading.Thread(target=tasks.start, args=(spec,)) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    done = ended(tasks)
    tasks.start(spec)
    assert tasks.observe("task-1") == done
    assert len(list(storage.list("runs"))) == 1


def test_a_later_attempt_ends_the_earlier_and_never_the_other_way(tasks: Tasks, storage: Storage, make: Make) -> None:
    first, second = make("beat"), make("beat", attempt=2)
    tasks.start(first)
    beating(storage, first)
    tasks.start(second)
    assert still(storage, first)
    beating(storage, second)
    with pytest.raises(PlatformError) as late:
        tasks.start(first)
    assert late.value.code is ErrorCode.INVALID_STATE
    for attempt in (0, 1):
        tasks.stop("task-1", attempt)
    assert (tasks.observe("task-1").presence, tasks.observe("task-1").attempt) == (TaskPresence.RUNNING, 2)
    beating(storage, second)
    tasks.stop("task-1", 3)  # up to, and not only, the attempt that is named
    assert still(storage, second)
    assert tasks.observe("task-1").presence is TaskPresence.ABSENT


@pytest.mark.parametrize("ran", [True, False], ids=["ran", "never ran"])
def test_a_late_start_revives_nothing_and_the_next_attempt_starts(
    tasks: Tasks, storage: Storage, make: Make, ran: bool
) -> None:
    if ran:
        tasks.start(make("count", attempt=2))
        ended(tasks)
    tasks.stop("task-1", 2)
    for late in (1, 2):
        with pytest.raises(PlatformError) as refused:
            tasks.start(make("count", attempt=late))
        assert refused.value.code is ErrorCode.INVALID_STATE
    assert list(tasks.list()) == []
    assert len(list(storage.list("runs"))) == ran
    tasks.start(make("count", attempt=3))
    assert ended(tasks).presence is TaskPresence.DONE


def test_of_a_start_and_a_stop_at_once_nothing_is_left(tasks: Tasks, make: Make) -> None:
    for attempt in range(1, 6):
        spec = make("beat", attempt=attempt)
        together = threading.Barrier(2)

        def start(spec: TaskSpec = spec, together: threading.Barrier = together) -> None:
            together.wait()
            with contextlib.suppress(PlatformError):
                tasks.start(spec)

        starter = threading.Thread(target=start)
        starter.start()
        together.wait()
        tasks.stop("task-1", attempt)
        starter.join()
        assert tasks.observe("task-1").presence is TaskPresence.ABSENT


def test_a_task_outlives_whoever_started_it(
    tasks: Tasks, storage: Storage, make: Make, elsewhere: Callable[..., int]
) -> None:
    spec = make("beat")
    assert elsewhere("runtime.tasks.start(spec); os.killpg(0, 9)", spec) == -signal.SIGKILL
    beating(storage, spec)
    assert tasks.observe("task-1").presence is TaskPresence.RUNNING
    tasks.start(make("count", attempt=2))  # and the next attempt ends it, whoever makes it
    assert still(storage, spec)


FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "says why": ({"act": "refuse", "errors": 3}, "DATA_LOAD_ERROR", "wrong"),
    "defect": ({"act": "defect"}, "INTERNAL_ERROR", "ZeroDivisionError"),
    "no program": ({"act": "answer", "program": "graph_platform_tests.nowhere"}, "INTERNAL_ERROR", "nowhere"),
    "no result": ({"act": "vanish", "status": 0}, "UNEXPECTED_TERMINATION", "without a result"),
    "exit status": ({"act": "vanish", "status": 3}, "UNEXPECTED_TERMINATION", "status 3"),
    "killed": ({"act": "signal", "signal": signal.SIGKILL}, "OOM_KILLED", "was killed"),
    "crash": ({"act": "signal", "signal": signal.SIGSEGV}, "UNEXPECTED_TERMINATION", "Segmentation fault"),
    "limit of memory": ({"act": "swell", "memory_bytes": 300 * 1024**2}, "OOM_KILLED", "end of its memory"),
    "no memory": ({"act": "want"}, "OOM_KILLED", "end of its memory"),
}


@pytest.mark.parametrize(("how", "code", "word"), FAILURES.values(), ids=FAILURES)
def test_a_failure_has_a_code_and_says_what_happened(
    tasks: Tasks, make: Make, how: dict[str, Any], code: str, word: str
) -> None:
    tasks.start(make(**how))
    failed = ended(tasks)
    assert (failed.presence, failed.result) == (TaskPresence.FAILED, None)
    assert failed.failure is not None
    assert failed.failure["code"] == code
    assert word in str(failed.failure["message"])
    assert PlatformError.from_document(failed.failure).document() == failed.failure
    [listed] = tasks.list()
    if how["act"] != "vanish":  # a list does not look for results
        assert (listed.presence, listed.failure) == (TaskPresence.FAILED, failed.failure)
    tasks.start(make(**how))  # what failed is not tried again by itself
    assert tasks.observe("task-1") == failed


def test_a_failure_of_any_size_comes_back_whole(tasks: Tasks, make: Make) -> None:
    tasks.start(make("refuse", errors=100_000))
    failure = ended(tasks).failure
    assert failure is not None
    assert failure["details"] == {"errors": list(range(100_000))}
    assert failure["hint"] == "mend it"


def test_a_crash_has_the_end_of_its_log(tasks: Tasks, make: Make) -> None:
    tasks.start(make("signal", signal=signal.SIGSEGV))
    failure = ended(tasks).failure
    assert failure is not None
    details = failure["details"]
    assert isinstance(details, dict)
    assert details["exit_status"] == -signal.SIGSEGV
    assert "the last words" in details["log_tail"]


def test_a_task_ends_itself_at_its_time_limit_though_nobody_looks(
    tasks: Tasks, storage: Storage, make: Make, elsewhere: Callable[..., int]
) -> None:
    spec = make("beat", seconds=3.0)
    assert elsewhere("runtime.tasks.start(spec); os.killpg(0, 9)", spec) == -signal.SIGKILL
    beating(storage, spec)
    seen = ended(tasks)
    assert (seen.presence, seen.failure and seen.failure["code"]) == (TaskPresence.FAILED, "TASK_TIMEOUT")
    assert still(storage, spec)


def test_native_code_that_lets_nothing_else_run_ends_at_the_time_limit_too(tasks: Tasks, make: Make) -> None:
    tasks.start(make("hang", seconds=0.5))
    failure = ended(tasks).failure
    assert failure is not None
    assert (failure["code"], failure["hint"]) == ("TASK_TIMEOUT", "give it more time")
    assert failure["message"] == "rehearsing took longer than 0.5 seconds and was stopped"


def test_what_a_task_prints_is_not_taken_for_its_steps(tasks: Tasks, make: Make) -> None:
    tasks.start(make("chatter"))
    done = ended(tasks)
    assert done.presence is TaskPresence.DONE
    assert [step.phase for step in done.steps] == ["told"]


def test_a_task_of_another_installation_is_refused(tasks: Tasks, make: Make) -> None:
    with pytest.raises(PlatformError) as refused:
        tasks.start(make("count", installation="somebody-elses"))
    assert refused.value.code is ErrorCode.PERMISSION_DENIED
    assert list(tasks.list()) == []


def test_what_is_no_id_is_refused(tasks: Tasks) -> None:
    for bad in ("", "..", "a/b", "A", "-a", "x" * 64):
        with pytest.raises(PlatformError) as refused:
            tasks.stop(bad, 1)
        assert refused.value.code is ErrorCode.VALIDATION_FAILED


def test_who_waits_is_told_each_step_once_and_gets_the_result(tasks: Tasks, make: Make) -> None:
    told: list[TaskStep] = []
    assert awaited(tasks, make("tell", steps=20), told.append) == {}
    assert [step.done for step in told] == list(range(20))
    assert list(tasks.list()) == []
    with pytest.raises(PlatformError) as over:  # it was stopped, and its attempt is closed
        awaited(tasks, make("tell", steps=1))
    assert over.value.code is ErrorCode.INVALID_STATE


def test_who_waits_gets_the_failure_and_leaves_nothing(tasks: Tasks, make: Make) -> None:
    with pytest.raises(PlatformError, match="wrong") as failed:
        awaited(tasks, make("refuse", errors=1))
    assert failed.value.code is ErrorCode.DATA_LOAD_ERROR
    assert list(tasks.list()) == []


def test_who_waits_and_is_interrupted_ends_the_task(tasks: Tasks, storage: Storage, make: Make) -> None:
    spec = make("beat")

    def interrupted(step: TaskStep) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        awaited(tasks, spec, interrupted)
    assert still(storage, spec)
    assert list(tasks.list()) == []


def test_who_waits_for_an_attempt_that_a_later_one_ended_is_told_so(tasks: Tasks, storage: Storage, make: Make) -> None:
    def overtaken(step: TaskStep) -> None:
        if tasks.observe("task-1").attempt == 1:
            tasks.start(make("beat", attempt=2))

    with pytest.raises(PlatformError, match="is over") as over:
        awaited(tasks, make("beat"), overtaken)
    assert over.value.code is ErrorCode.INVALID_STATE
    assert tasks.observe("task-1").attempt == 2
    beating(storage, make("beat", attempt=2))


def test_who_waits_has_an_end_though_the_runtime_never_tells_one(tasks: Tasks, storage: Storage, make: Make) -> None:
    clock = SimulatedClock(pace=10)  # so that few looks are enough where each takes a while
    with pytest.raises(PlatformError) as late:
        awaited(tasks, make("beat", seconds=600), clock=clock)
    assert late.value.code is ErrorCode.TASK_TIMEOUT
    assert 900 <= clock.now < 912
    assert list(tasks.list()) == []
