"""Commands that run a job on a mapping. The file is read here; the job gets the mapping itself, never a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from graph_platform.cli import options
from graph_platform.cli.failures import show_problems
from graph_platform.cli.mapping.files import read_file
from graph_platform.cli.output import Output, size
from graph_platform.cli.runs import run_job
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.proving.requests import CreateMapping, DeleteMapping, SuggestMapping, UpdateMapping, ValidateMapping

_FILE = click.argument("file", metavar="FILE")


@click.command
@_FILE
@options.data_checks
@options.wait
@options.output
def validate(file: str, data_checks: str, wait: bool, output: Output) -> int:
    """Check the mapping in FILE (- for standard input) against the warehouse, and report every problem at once."""
    try:
        report = run_job(ValidateMapping(mapping=read_file(file), data_checks=data_checks), output, wait=wait)
    except PlatformError as error:
        found = error.details.get("report")
        if error.code != ErrorCode.VALIDATION_FAILED or not isinstance(found, dict):
            raise
        report = found
    if output.as_json or not wait:
        output.document(report)
    else:
        _show_report(report, file, output)
    return 0 if report.get("valid", True) else 1


@click.command
@_FILE
@options.data_checks
@options.wait
@options.output
def create(file: str, data_checks: str, wait: bool, output: Output) -> None:
    """Validate the mapping in FILE (- for standard input) and keep it as version 1 under its name."""
    request = CreateMapping(mapping=read_file(file), data_checks=data_checks)
    _show(run_job(request, output, wait=wait), output)


@click.command
@_FILE
@click.option("-m", "--message", default="", metavar="TEXT", help="What changes and why, for the list of versions.")
@options.data_checks
@options.wait
@options.output
def update(file: str, message: str, data_checks: str, wait: bool, output: Output) -> None:
    """Validate the changed mapping in FILE (- for standard input) and keep it as the next version of its name."""
    request = UpdateMapping(mapping=read_file(file), change_description=message, data_checks=data_checks)
    _show(run_job(request, output, wait=wait), output)


@click.command
@click.option("--schema", metavar="NAME", help="The schema whose tables become a graph; the default one if left out.")
@click.option(
    "--sql", metavar="SQL|FILE", help="Instead of a schema: a query, or a file with one, that becomes a node."
)
@click.option("--edge", is_flag=True, help="The query becomes an edge.")
@click.option("--name", metavar="NAME", help="Name of the mapping.")
@click.option("--refresh", is_flag=True, help="Ask for the tables anew, however lately that was done.")
@options.output_or_yaml
def suggest(schema: str | None, sql: str | None, edge: bool, name: str | None, refresh: bool, output: Output) -> None:
    """Print a mapping as YAML, made from a schema's tables or from one query, with a comment on every guess.

    Keys and references between tables are looked for in the data. What is printed validates as it stands:
    `graph-platform mapping suggest > graph.yaml`, then `graph-platform mapping validate graph.yaml`.
    """
    if sql and schema:
        raise click.UsageError("--sql and --schema are two ways to begin: give one of them")
    if edge and not sql:
        raise click.UsageError("--edge says what becomes of a query: give it with --sql")
    query = _query(sql) if sql else None
    found = run_job(SuggestMapping(schema_name=schema, sql=query, edge=edge, name=name, refresh=refresh), output)
    if output.as_json:
        output.document({key: found[key] for key in ("name", "mapping", "notes", "yaml")})
    else:
        output.text(found["yaml"])


def _query(text: str) -> str:
    """The text, or what is in the file that it names."""
    try:
        named = Path(text).is_file()
    except (OSError, ValueError):  # too long, or with a character that no name has
        named = False
    try:
        return Path(text).read_text(encoding="utf-8") if named else text
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"{text} cannot be read: {error}") from error


@click.command
@click.argument("mapping", metavar="NAME")
@click.option("--with-snapshots", is_flag=True, help="Delete its snapshots too, unless an instance serves one.")
@options.wait
@options.output
def delete(mapping: str, with_snapshots: bool, wait: bool, output: Output) -> None:
    """Delete a mapping by name or id. It is refused while snapshots of it live, unless these are to go too."""
    _show(run_job(DeleteMapping(mapping=mapping, with_snapshots=with_snapshots), output, wait=wait), output)


def _show(document: dict[str, Any], output: Output) -> None:
    if output.as_json:
        output.document(document)
        return
    output.fields(document, ["name", "id", "status", "version", "nodes", "edges", "run_url"])


def _show_report(report: dict[str, Any], file: str, output: Output) -> None:
    show_problems(report, output.person)
    errors, warnings = (len(report[key]) + report.get(f"more_{key}", 0) for key in ("errors", "warnings"))
    if report["valid"]:
        definitions = [*report["node_results"], *report["edge_results"]]
        output.table(
            ["definition", "column", "warehouse", "engine"],
            [
                (
                    definition["name"] if index == 0 else "",
                    column["name"],
                    column["warehouse_type"],
                    column["engine_type"],
                )
                for definition in definitions
                for index, column in enumerate(definition["columns"])
            ],
        )
    estimate = report.get("estimate")
    if estimate:
        output.say(
            f"about {estimate['rows']:,} rows, {size(estimate['bytes'])} of Parquet, "
            f"{size(estimate['database_bytes'])} of database, {size(estimate['memory_bytes'])} of memory",
            "dim",
        )
    verdict = ("valid", "bold green") if report["valid"] else ("invalid", "bold red")
    output.person.print(Text.assemble(verdict, f"  {file}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
