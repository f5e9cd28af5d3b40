"""From an operation to its op and its job. What the operations are is said in a module per noun beside this one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from dagster import (
    Config,
    GraphDefinition,
    JobDefinition,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    in_process_executor,
    op,
)

from graph_platform.orchestration.config import config_of
from graph_platform.orchestration.reporting import Answer, Documented, answered, attribution, done, in_op
from graph_platform.orchestration.resources import PlatformResource
from graph_platform.progress import Attribution, Reporter
from graph_platform.requests import Request

if TYPE_CHECKING:
    from graph_platform.platform import Platform

R = TypeVar("R", bound=Request)


def change(request: type[R], carry_out: Callable[[Platform, R, Attribution, Reporter], Documented]) -> OpDefinition:
    """The op of an operation that changes something; its result is the document of what was changed."""

    def run(context: OpExecutionContext, config: Config, platform: PlatformResource) -> None:
        with in_op(context, platform) as (opened, report):
            asked = request.read(config.model_dump())
            result = carry_out(opened, asked, attribution(context), report)
        done(context, result)

    return _op(request, run)


def question(request: type[R], answer: Callable[[Platform, R, Reporter], Answer]) -> OpDefinition:
    """The op of an operation that changes nothing; its result is the answer's document."""

    def run(context: OpExecutionContext, config: Config, platform: PlatformResource) -> None:
        with in_op(context, platform) as (opened, report):
            found = answer(opened, request.read(config.model_dump()), report)
        answered(context, found)

    return _op(request, run)


def _op(request: type[Request], run: Callable[[OpExecutionContext, Config, PlatformResource], None]) -> OpDefinition:
    """The result is metadata: an output would be pickled to disk for nobody."""
    run.__annotations__ = {
        "context": OpExecutionContext,
        "config": config_of(request),
        "platform": PlatformResource,
        "return": None,
    }
    return op(name=request.job, description=inspect.getdoc(request), out=Out(Nothing))(run)


def job(operation: OpDefinition, default: Mapping[str, Any]) -> JobDefinition:
    """A job of one op under the op's name. In-process: a process per step would cost seconds and protect nothing.

    Dagster wants the names of ops and graphs to be unique together, so only the job itself is called like its op.

    Args:
        default: a config that works on the demo's mapping, so that the job can be launched as it stands.
    """
    graph = GraphDefinition(name=f"{operation.name}_graph", description=operation.description, node_defs=[operation])
    return graph.to_job(
        name=operation.name,
        config={"ops": {operation.name: {"config": dict(default)}}},
        executor_def=in_process_executor,
    )
