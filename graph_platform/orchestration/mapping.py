"""What Dagster has about mappings: ops, jobs, and the schedule that keeps the schema cache fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import DefaultScheduleStatus, MetadataValue, ScheduleDefinition

from graph_platform.demo.mapping import DEMO_NAME, demo_mapping
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.mapping.definition.document import write_mapping
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.orchestration.operations import change, job, question
from graph_platform.orchestration.reporting import Answer, Documented, cell, problems_table
from graph_platform.progress import Attribution, Reporter
from graph_platform.proving.requests import (
    CreateMapping,
    DeleteMapping,
    DiffMapping,
    ListMappings,
    RefreshSchemaCache,
    ShowMapping,
    SuggestMapping,
    UpdateMapping,
    ValidateMapping,
)

if TYPE_CHECKING:
    from graph_platform.catalog.records import MappingRecord
    from graph_platform.platform import Platform
    from graph_platform.proving.results import Drift, Suggestion


def _validated(platform: Platform, request: ValidateMapping, report: Reporter) -> Answer:
    found = platform.mappings.validate(request, report)
    document = found.model_dump(mode="json")
    if not found.valid:
        raise _invalid(document, request.mapping.name)
    shown = {"problems": problems_table(document), "columns": _columns_table(document)}
    return Answer(document, {name: MetadataValue.md(table) for name, table in shown.items()})


validate_mapping = question(ValidateMapping, _validated)
create_mapping = change(
    CreateMapping, lambda platform, request, by, report: platform.mappings.create(request, by, report)
)
update_mapping = change(
    UpdateMapping, lambda platform, request, by, report: platform.mappings.update(request, by, report)
)


def _deleted(platform: Platform, request: DeleteMapping, by: Attribution, report: Reporter) -> MappingRecord:
    if request.with_snapshots:
        platform.snapshots.delete_all(request.mapping, by, report)
    return platform.mappings.delete(request, by)


delete_mapping = change(DeleteMapping, _deleted)
list_mappings = question(ListMappings, lambda platform, _, __: _listed(platform.mappings.list()))
show_mapping = question(ShowMapping, lambda platform, request, _: _shown(platform.mappings.show(request).document()))
diff_mapping = question(
    DiffMapping, lambda platform, request, report: _drifted(platform.mappings.diff(request, report))
)
suggest_mapping = question(
    SuggestMapping, lambda platform, request, report: _suggested(platform.mappings.suggest(request, report))
)
refresh_schema_cache = question(
    RefreshSchemaCache, lambda platform, request, _: Answer({**platform.mappings.refresh_schema_cache(request)})
)

_ON_MAPPING = {"mapping": DEMO_NAME}

refresh_schema_cache_job = job(refresh_schema_cache, {})

jobs = [
    job(validate_mapping, {"mapping": demo_mapping()}),
    job(create_mapping, {"mapping": demo_mapping()}),
    job(update_mapping, {"mapping": demo_mapping(), "change_description": "what changed, and why"}),
    job(list_mappings, {}),
    job(show_mapping, _ON_MAPPING),
    job(diff_mapping, _ON_MAPPING),
    job(suggest_mapping, {}),
    refresh_schema_cache_job,
    job(delete_mapping, _ON_MAPPING),
]

schedules = [
    ScheduleDefinition(
        name="refresh_schema_cache_daily",
        job=refresh_schema_cache_job,
        cron_schedule="17 4 * * *",  # not on the hour, when everybody's jobs begin
        # Off until somebody turns it on: without it the tables are asked for when they are needed and the cache is too
        # old, and a home that has no warehouse yet would have a failed run each day.
        default_status=DefaultScheduleStatus.STOPPED,
        description=(
            "Asks the warehouse for its tables and columns each day, UTC, so that suggestions and nearest names need "
            "not wait for them. It pays where GRAPH_PLATFORM_SCHEMA_CACHE_SECONDS is longer than a day."
        ),
    ),
]


def _invalid(report: Mapping[str, Any], name: str) -> PlatformError:
    """The error that an invalid mapping's report is."""
    count = len(report["errors"]) + report.get("more_errors", 0)
    return PlatformError(
        ErrorCode.VALIDATION_FAILED,
        f"mapping {name!r} has {count:,} problem{'' if count == 1 else 's'}",
        "every problem is listed with its place and its fix",
        {"report": report},
    )


def _suggested(made: Suggestion) -> Answer:
    return Answer.in_lines({**made}, made["yaml"].splitlines())


def _drifted(found: Drift) -> Answer:
    return Answer.in_lines({**found}, found["text"])


def _listed(records: Iterable[Documented]) -> Answer:
    """The answer of `list_mappings`: `mappings`, and a line for each."""
    documents = [record.document() for record in records]
    lines = [
        f"{each['name']}@{each['version']} ({each['status']}, of {each['owner']}): "
        f"{each['nodes']} kinds of node, {each['edges']} of edge. {each['description'] or ''}".rstrip()
        for each in documents
    ]
    return Answer.in_lines({"mappings": documents}, lines or ["There are none yet."])


def _shown(document: dict[str, Any]) -> Answer:
    """The answer of `show_mapping`: all that is known, and as text the versions and the definition as its file."""
    lines = [
        f"version {each['version']} by {each['created_by']}, {each['created_at'][:16]}: {each['change_description']}"
        for each in document["versions"]
    ]
    definition = MappingDefinition.model_validate(document["definition"])
    shown = f"version {document['shown_version']} as its file:"
    return Answer.in_lines(document, [*lines, "", shown, *write_mapping(definition).splitlines()])


def _columns_table(report: Mapping[str, Any]) -> str:
    """Every definition's columns of a validation report as a Markdown table."""
    lines = ["| definition | column | warehouse | engine |", "|---|---|---|---|"]
    results: Sequence[Mapping[str, Any]] = [*report["node_results"], *report["edge_results"]]
    for result in results:
        for column in result["columns"]:
            cells = (result["name"], column["name"], column["warehouse_type"], column["engine_type"] or "")
            lines.append("| " + " | ".join(cell(text) for text in cells) + " |")
    return "\n".join(lines)
