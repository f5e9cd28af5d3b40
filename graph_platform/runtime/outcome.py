"""What a task left, for the runtimes: its result in storage, and the words for one that came to its time limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.spec import TaskSpec
from graph_platform.storage.connect import open_storage


def task_result(spec: TaskSpec) -> Mapping[str, Any]:
    """The result that a task wrote.

    Raises:
        PlatformError: UNEXPECTED_TERMINATION if it wrote none, STORAGE_ERROR for something else in its place, and what
            storage raises.
    """
    try:
        content = open_storage(spec.result.storage_url).read(spec.result.key)
    except PlatformError as error:
        if error.code is not ErrorCode.RESOURCE_NOT_FOUND:
            raise
        told = f"the process {spec.doing} ended without a result"
        raise PlatformError(ErrorCode.UNEXPECTED_TERMINATION, told) from error
    try:
        result = json.loads(content)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        raise PlatformError(ErrorCode.STORAGE_ERROR, f"{spec.result.key} is not a result")
    return result


def in_words_of(spec: TaskSpec, failure: dict[str, Any]) -> dict[str, Any]:
    """The failure of a task; one that came to its time limit says which, and what to do."""
    if failure["code"] != ErrorCode.TASK_TIMEOUT:
        return failure
    over = f"{spec.doing} took longer than {spec.seconds:g} seconds and was stopped"
    return {**failure, "message": over, "hint": spec.seconds_hint}
