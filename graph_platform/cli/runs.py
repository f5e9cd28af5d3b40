"""How a command that changes something gets its Dagster run: in this process, or on a Dagster that runs elsewhere.

Either way the run is a real one, with its log and events in Dagster's storage, and the result is the document that the
op left there.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

import click

from graph_platform.cli.output import Output, size
from graph_platform.orchestration.tags import run_tags
from graph_platform.requests import Request
from graph_platform.settings import Settings


class Runner(Protocol):
    """The two modules that run a job, `run_here` and `run_there`. Dagster or an HTTP client is imported with them."""

    def run(
        self,
        settings: Settings,
        job: str,
        config: Mapping[str, Any],
        tags: Mapping[str, str],
        output: Output,
        wait: bool,
    ) -> dict[str, Any]:
        """Run the job and return its result document; without `wait`, where the run is.

        Raises:
            PlatformError: what the job failed with, or BACKEND_UNREACHABLE.
        """
        ...


def run_job(request: Request, output: Output, *, wait: bool = True) -> dict[str, Any]:
    """Run the job of a request.

    Raises:
        PlatformError: what the job failed with, or BACKEND_UNREACHABLE.
        click.UsageError: `--no-wait` without a Dagster that would go on after this process ends.
    """
    settings = Settings.load()
    if not wait and not settings.dagster_url:
        raise click.UsageError(
            "--no-wait needs a Dagster that runs the job after this command has ended: start one with "
            "`graph-platform dev` and set GRAPH_PLATFORM_DAGSTER_URL=http://127.0.0.1:3000"
        )
    module = "graph_platform.cli.run_there" if settings.dagster_url else "graph_platform.cli.run_here"
    runner = cast(Runner, importlib.import_module(module))
    return runner.run(settings, request.job, request.config(), run_tags(request, settings.user), output, wait)


def export_line(key: list[str], metadata: Mapping[str, Any]) -> str:
    """A materialization as a progress line."""
    rows, seconds = metadata.get("rows"), metadata.get("seconds")
    parts = [f"{rows:,} rows" if isinstance(rows, int) else "", size(metadata.get("bytes"))]
    parts.append(f"{seconds:.1f} s" if isinstance(seconds, float) else "")
    return f"{'/'.join(key)}: {', '.join(part for part in parts if part)}"
