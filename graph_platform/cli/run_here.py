"""Runs a job in this process, on the Dagster instance of the platform's home, so that the UI shows it like any other.

Dagster is imported here and nowhere else in the command line.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TextIO
from uuid import uuid4

from dagster import DagsterEvent, DagsterInstance, EventLogEntry, ExecuteInProcessResult, JsonMetadataValue
from dagster._core.errors import DagsterExecutionInterruptedError  # no public name; raised for Ctrl-C inside a step
from dagster._core.instance import InstanceRef  # the one way to a DagsterInstance with a changed part

from graph_platform.cli.output import Output
from graph_platform.cli.runs import export_line
from graph_platform.definitions import definitions
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.orchestration.home import prepare
from graph_platform.orchestration.reporting import ERROR, RESULT
from graph_platform.private import own_folder
from graph_platform.settings import Settings, without_secrets

_INFO = 20
_LOG = "runs.log"
_LARGEST_LOG = 5_000_000

# Capturing would turn this process's own standard output and error into files while the op runs.
_WITHOUT_CAPTURE: Any = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def run(
    settings: Settings, job: str, config: Mapping[str, Any], tags: Mapping[str, str], output: Output, wait: bool
) -> dict[str, Any]:
    """See `graph_platform.cli.runs.Runner.run`. `wait` is always true here."""
    with dagster_instance(settings) as instance:
        return execute(instance, settings, job, config, tags, output)


@contextlib.contextmanager
def dagster_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The instance that `graph-platform dev` shows."""
    os.environ.update(prepare(settings))
    try:
        with _console_in_log(settings):  # Dagster tells of each try to connect, with what it was given
            instance = DagsterInstance.from_ref(
                InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=_WITHOUT_CAPTURE)
            )
    except Exception as error:
        raise PlatformError(
            ErrorCode.BACKEND_UNREACHABLE,
            f"Dagster's storage could not be opened: {str(error).strip().splitlines()[0]}",
            "check GRAPH_PLATFORM_DAGSTER_STORAGE and that its Postgres runs; `graph-platform doctor` looks closer",
        ) from error
    with instance:
        yield instance


def execute(
    instance: DagsterInstance,
    settings: Settings,
    job: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    output: Output,
) -> dict[str, Any]:
    """Run one job on an open instance; several may follow each other.

    Raises:
        PlatformError: what the job failed with.
        KeyboardInterrupt: after Ctrl-C or SIGTERM; the run is recorded as failed.
    """
    run_id = str(uuid4())
    instance.add_event_listener(run_id, lambda entry: _show(entry, output))
    with _console_in_log(settings), _terminable():
        try:
            result = definitions.get_job_def(job).execute_in_process(
                run_config={"ops": {job: {"config": dict(config)}}},
                instance=instance,
                run_id=run_id,
                tags=dict(tags),
                raise_on_error=False,
            )
        except DagsterExecutionInterruptedError as interrupt:
            raise KeyboardInterrupt from interrupt
    return _outcome(result, run_id, settings.home / "logs" / _LOG)


def _outcome(result: ExecuteInProcessResult, run_id: str, log: Path) -> dict[str, Any]:
    for event in result.all_events:
        if event.event_type_value == "STEP_OUTPUT":
            entry = event.step_output_data.metadata.get(RESULT)
            if isinstance(entry, JsonMetadataValue):
                return dict(entry.data)  # type: ignore[arg-type]  # `document()` is a dictionary
    raise _failure(result, run_id, log)


def _failure(result: ExecuteInProcessResult, run_id: str, log: Path) -> PlatformError:
    said = "the run ended without a result"
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE":
            data = event.step_failure_data
            entry = data.user_failure_data.metadata.get(ERROR) if data.user_failure_data else None
            if isinstance(entry, JsonMetadataValue):
                error = PlatformError.from_document(entry.data)  # type: ignore[arg-type]
                return PlatformError(error.code, error.message, error.hint, {**error.details, "run_id": run_id})
            said = _cause(event)
    if "Interrupted" in said:
        raise KeyboardInterrupt
    hint = f"the whole story is in {log}, and on the run's page in the UI"
    return PlatformError(ErrorCode.INTERNAL_ERROR, said, hint, {"run_id": run_id, "log": str(log)})


def _cause(event: DagsterEvent) -> str:
    """The innermost error of a step that died of something unforeseen."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    lines = error.message.strip().splitlines() if error else []
    return lines[0] if lines else "the step failed"


def _show(entry: EventLogEntry, output: Output) -> None:
    event = entry.dagster_event
    if event is None:
        if int(entry.level) >= _INFO:
            output.progress(entry.user_message)
    elif event.is_step_materialization and event.asset_key is not None:
        metadata = {
            name: getattr(value, "value", None)
            for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        output.progress(export_line(list(event.asset_key.path), metadata))


@contextlib.contextmanager
def _console_in_log(settings: Settings) -> Iterator[None]:
    """Dagster's console lines, and whatever a library prints, go to a file: standard output is the command's alone."""
    path = own_folder(settings.home / "logs") / _LOG
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(Path(f"{path}.1"))
    with path.open("a", encoding="utf-8") as log:
        discreet = _Discreet(log)
        with contextlib.redirect_stdout(discreet), contextlib.redirect_stderr(discreet):
            yield


class _Discreet(io.TextIOBase):
    """A log for whatever a library prints, which may repeat the URL that it was given."""

    def __init__(self, log: TextIO) -> None:
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._log.write(without_secrets(text))
        return len(text)

    def flush(self) -> None:
        self._log.flush()

    def fileno(self) -> int:
        return self._log.fileno()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does, so that Dagster records its end."""

    def interrupt(_: int, __: types.FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
