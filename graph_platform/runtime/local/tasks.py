"""Tasks as processes of this machine, each with its folder below `HOME/tasks`, where it works, too."""

from __future__ import annotations

import builtins
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock
from graph_platform.private import own_folder
from graph_platform.runtime.local import files
from graph_platform.runtime.local.programs import Kind, Programs, storage_errors
from graph_platform.runtime.outcome import in_words_of, task_result
from graph_platform.runtime.protocol import TaskObservation, TaskPresence, TaskStep
from graph_platform.runtime.spec import TaskSpec

_WORK = "work"


class LocalTasks:
    """`Tasks` of this machine. See `Programs`."""

    def __init__(
        self, home: Path, installation: str, tell: Callable[[str], None] | None = None, clock: Clock = SYSTEM
    ) -> None:
        kind = Kind(
            noun="a task",
            word="task",
            again="start it again",
            spec=TaskSpec,
            doing=lambda spec: spec.doing,
            command=_command,
            prepare=_make_work,
            output=files.OUTPUT,
        )
        self._programs = Programs(kind, home / "tasks", installation, tell, clock)

    def start(self, spec: TaskSpec) -> None:
        """Start the task unless this attempt was started before. See `Programs.start`."""
        self._programs.start(spec.task, spec)

    def stop(self, task: str, up_to_attempt: int) -> None:
        """End the task. See `Programs.stop`."""
        self._programs.stop(task, up_to_attempt, 0.0)

    def observe(self, task: str) -> TaskObservation:
        """Look at the folder and at the lock, and read the result where storage has it."""
        found = self._programs.find(task)
        if found is None:
            return TaskObservation(task, 0, TaskPresence.ABSENT)
        folder, spec = found
        with storage_errors(folder):
            lives = self._programs.lives(folder)  # first: what it writes until then is read below
            steps = tuple(_steps(folder))
            if lives:
                return TaskObservation(task, spec.attempt, TaskPresence.RUNNING, steps)
            failure = self._failure(folder, spec)
        if failure is None:
            try:
                return TaskObservation(task, spec.attempt, TaskPresence.DONE, steps, task_result(spec))
            except PlatformError as error:
                if error.code is not ErrorCode.UNEXPECTED_TERMINATION:
                    raise
                failure = error.document()
        return TaskObservation(task, spec.attempt, TaskPresence.FAILED, steps, failure=failure)

    def changed(self, task: str) -> threading.Event:
        """Never set: nothing tells this process of another one's state."""
        return threading.Event()

    def list(self) -> builtins.list[TaskObservation]:
        """Every task of this installation; a folder without a readable spec is one that was not finished."""
        return [self._listed(*each) for each in self._programs.all()]

    def _listed(self, task: str, folder: Path, spec: TaskSpec | None) -> TaskObservation:
        if spec is None:
            return TaskObservation(task, 0, TaskPresence.FAILED, failure=self._programs.never_started(task))
        with storage_errors(folder):
            if self._programs.lives(folder):
                return TaskObservation(task, spec.attempt, TaskPresence.RUNNING)
            failure = self._failure(folder, spec)
        presence = TaskPresence.FAILED if failure else TaskPresence.DONE
        return TaskObservation(task, spec.attempt, presence, failure=failure)

    def _failure(self, folder: Path, spec: TaskSpec) -> dict[str, object] | None:
        failure = self._programs.failure(folder, spec)
        return None if failure is None else in_words_of(spec, failure)


def _command(folder: Path, spec: TaskSpec) -> list[str]:
    return [
        *("graph_platform.tasks", "--spec", str(folder / files.SPEC)),
        *("--work", str(folder / _WORK), "--state", str(folder)),
    ]


def _make_work(folder: Path) -> None:
    own_folder(folder / _WORK)


def _steps(folder: Path) -> Iterator[TaskStep]:
    """The steps that the task has told; a last line that is not whole yet is left for the next look."""
    try:
        told = (folder / files.OUTPUT).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return
    for line in told.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            step = json.loads(line)["step"]
            yield TaskStep(str(step["phase"]), step["subject"], int(step["done"]), int(step["of"]))
