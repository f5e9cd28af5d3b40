"""A task from its start to its result, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses
from graph_platform.runtime.protocol import TaskPresence, Tasks, TaskStep
from graph_platform.runtime.spec import TaskSpec

START_SECONDS = 300.0
"""How long a runtime may take to find a place for a task, beside the time that the task itself has."""

_PAUSES = Pauses(0.02, 0.1, 1.1)


def awaited(
    tasks: Tasks, spec: TaskSpec, on_step: Callable[[TaskStep], None] = lambda step: None, *, clock: Clock = SYSTEM
) -> Mapping[str, Any]:
    """Start a task, wait until it is done, and return its result. It is stopped whichever way this ends.

    Args:
        on_step: told every step once, in this thread; what it raises ends the task.

    Raises:
        PlatformError: what the task failed with; INVALID_STATE if the attempt is over: another one took its place.
    """
    deadline, told = clock.monotonic() + spec.seconds + START_SECONDS, 0
    try:
        tasks.start(spec)
        for pause in _PAUSES:
            changed = tasks.changed(spec.task)
            seen = tasks.observe(spec.task)
            if seen.presence is TaskPresence.ABSENT or seen.attempt != spec.attempt:
                raise PlatformError(
                    ErrorCode.INVALID_STATE, f"attempt {spec.attempt} of {spec.task} is over: somebody ended it"
                )
            for step in seen.steps[told:]:
                on_step(step)
            told = len(seen.steps)
            if seen.failure is not None:
                raise PlatformError.from_document(seen.failure)
            if seen.result is not None:
                return seen.result
            if clock.monotonic() >= deadline:
                raise PlatformError(ErrorCode.TASK_TIMEOUT, f"{spec.doing} has not come to an end", spec.seconds_hint)
            clock.wait(changed, pause)
        raise AssertionError("pauses never end")
    finally:
        with suppress(PlatformError):  # the runtime is away: the next attempt ends it, or its time limit does
            tasks.stop(spec.task, spec.attempt)
