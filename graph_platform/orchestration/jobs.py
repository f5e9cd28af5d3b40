"""The jobs, each with its one op of the same name. An op turns config into one call of the platform, and nothing else.

Every job has a default config that works on the demo's mapping, so that it can be launched as it stands.
"""

from collections.abc import Mapping
from typing import Any

from dagster import (
    GraphDefinition,
    JobDefinition,
    MetadataValue,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    in_process_executor,
    op,
)

from graph_platform.orchestration import config as cfg
from graph_platform.orchestration.reporting import (
    RESULT,
    RunReporter,
    ask,
    carry_out,
    columns_table,
    failure,
    failures_told,
    invalid,
    mapping_shown,
    mappings_listed,
    problems_table,
)
from graph_platform.orchestration.resources import PlatformResource

_NOTHING = Out(Nothing)  # the result is metadata: an output would be pickled to disk for nobody


@op(out=_NOTHING)
def validate_mapping(
    context: OpExecutionContext, config: cfg.ValidateMappingConfig, platform: PlatformResource
) -> None:
    """Check a mapping against the warehouse: structure, SQL, columns, keys and types, every problem at once."""
    definition = cfg.mapping_definition(config.mapping)
    with failures_told(), platform.open(context.run_id) as opened:
        report = opened.validate_mapping(definition, RunReporter(context), config.data_checks)
    document = report.model_dump(mode="json")
    if not report.valid:
        raise failure(invalid(document, definition.name))
    context.add_output_metadata(
        {
            RESULT: MetadataValue.json(document),
            "problems": MetadataValue.md(problems_table(document)),
            "columns": MetadataValue.md(columns_table(document)),
        }
    )


@op(out=_NOTHING)
def create_mapping(context: OpExecutionContext, config: cfg.CreateMappingConfig, platform: PlatformResource) -> None:
    """Validate a mapping and keep it as version 1 under its name."""
    definition = cfg.mapping_definition(config.mapping)
    carry_out(
        context,
        platform,
        lambda opened, by, report: opened.create_mapping(definition, by, report, config.data_checks),
    )


@op(out=_NOTHING)
def update_mapping(context: OpExecutionContext, config: cfg.UpdateMappingConfig, platform: PlatformResource) -> None:
    """Validate a changed mapping and keep it as the next version."""
    definition = cfg.mapping_definition(config.mapping)
    carry_out(
        context,
        platform,
        lambda opened, by, report: opened.update_mapping(
            definition, config.change_description, by, report, config.data_checks
        ),
    )


@op(out=_NOTHING)
def list_mappings(context: OpExecutionContext, config: cfg.ListMappingsConfig, platform: PlatformResource) -> None:
    """The mappings that live, by name."""
    ask(context, platform, lambda opened, _: mappings_listed(opened.list_mappings()))


@op(out=_NOTHING)
def show_mapping(context: OpExecutionContext, config: cfg.ShowMappingConfig, platform: PlatformResource) -> None:
    """A mapping: what it is, its versions with who made them and why, and the definition of one of them."""
    ask(context, platform, lambda opened, _: mapping_shown(opened.show_mapping(config.mapping)))


@op(out=_NOTHING)
def diff_mapping(context: OpExecutionContext, config: cfg.DiffMappingConfig, platform: PlatformResource) -> None:
    """What changed in the warehouse since a mapping's version was kept: tables, columns and types."""
    ask(context, platform, lambda opened, report: opened.diff_mapping(config.mapping, report))


@op(out=_NOTHING)
def suggest_mapping(context: OpExecutionContext, config: cfg.SuggestMappingConfig, platform: PlatformResource) -> None:
    """A mapping made from a schema's tables or from one query, as YAML with a comment on every guess."""
    ask(
        context,
        platform,
        lambda opened, report: opened.suggest_mapping(
            config.schema_name, config.sql, config.edge, config.name, report, config.refresh
        ),
    )


@op(out=_NOTHING)
def refresh_schema_cache(
    context: OpExecutionContext, config: cfg.RefreshSchemaCacheConfig, platform: PlatformResource
) -> None:
    """Ask the warehouse anew for its tables and columns, which suggestions and nearest names are made from."""
    ask(context, platform, lambda opened, _: opened.refresh_schema_cache(config.schema_name))


@op(out=_NOTHING)
def delete_mapping(context: OpExecutionContext, config: cfg.DeleteMappingConfig, platform: PlatformResource) -> None:
    """Delete a mapping that no snapshot depends on."""
    carry_out(context, platform, lambda opened, by, _: opened.delete_mapping(config.mapping, by))


@op(out=_NOTHING)
def create_snapshot(context: OpExecutionContext, config: cfg.CreateSnapshotConfig, platform: PlatformResource) -> None:
    """Export a mapping's nodes and edges as Parquet files, and build the graph database from them."""
    carry_out(
        context,
        platform,
        lambda opened, by, report: opened.create_snapshot(
            config.mapping, config.name, config.ttl, config.inactivity_timeout, by, report, config.data_checks
        ),
    )


@op(out=_NOTHING)
def delete_snapshot(context: OpExecutionContext, config: cfg.DeleteSnapshotConfig, platform: PlatformResource) -> None:
    """Delete a snapshot and its files, if no instance serves it."""
    carry_out(context, platform, lambda opened, by, _: opened.delete_snapshot(config.snapshot, by))


@op(out=_NOTHING)
def launch_instance(context: OpExecutionContext, config: cfg.LaunchInstanceConfig, platform: PlatformResource) -> None:
    """Serve a snapshot as a graph database, and wait until it answers."""
    carry_out(
        context,
        platform,
        lambda opened, by, report: opened.launch_instance(
            config.snapshot, config.name, config.ttl, config.inactivity_timeout, by, report
        ),
    )


@op(out=_NOTHING)
def suspend_instance(context: OpExecutionContext, config: cfg.InstanceConfig, platform: PlatformResource) -> None:
    """End an instance's server and keep the instance, to be resumed."""
    carry_out(context, platform, lambda opened, by, report: opened.suspend_instance(config.instance, by, report))


@op(out=_NOTHING)
def resume_instance(context: OpExecutionContext, config: cfg.InstanceConfig, platform: PlatformResource) -> None:
    """Start the server of a suspended instance again, and wait until it answers."""
    carry_out(context, platform, lambda opened, by, report: opened.resume_instance(config.instance, by, report))


@op(out=_NOTHING)
def extend_instance(context: OpExecutionContext, config: cfg.ExtendInstanceConfig, platform: PlatformResource) -> None:
    """Let an instance live longer, within the installation's ceiling."""
    carry_out(
        context,
        platform,
        lambda opened, by, _: opened.extend_instance(config.instance, config.duration, config.reason, by),
    )


@op(out=_NOTHING)
def terminate_instance(context: OpExecutionContext, config: cfg.InstanceConfig, platform: PlatformResource) -> None:
    """End an instance and its server for good. Its snapshot stays."""
    carry_out(context, platform, lambda opened, by, report: opened.terminate_instance(config.instance, by, report))


def _job(operation: OpDefinition, default: Mapping[str, Any]) -> JobDefinition:
    """A job of one op under the op's name. In-process: a process per step would cost seconds and protect nothing.

    Dagster wants the names of ops and graphs to be unique together, so only the job itself is called like its op.
    """
    graph = GraphDefinition(name=f"{operation.name}_graph", description=operation.description, node_defs=[operation])
    return graph.to_job(
        name=operation.name,
        config={"ops": {operation.name: {"config": dict(default)}}},
        executor_def=in_process_executor,
    )


_ON_MAPPING = {"mapping": cfg.DEMO_NAME}
_ON_SNAPSHOT = {"snapshot": cfg.DEMO_NAME}
_ON_INSTANCE = {"instance": cfg.DEMO_NAME}

jobs = [
    _job(validate_mapping, {"mapping": cfg.demo_mapping()}),
    _job(create_mapping, {"mapping": cfg.demo_mapping()}),
    _job(update_mapping, {"mapping": cfg.demo_mapping(), "change_description": "what changed, and why"}),
    _job(list_mappings, {}),
    _job(show_mapping, _ON_MAPPING),
    _job(diff_mapping, _ON_MAPPING),
    _job(suggest_mapping, {}),
    _job(refresh_schema_cache, {}),
    _job(delete_mapping, _ON_MAPPING),
    _job(create_snapshot, _ON_MAPPING),
    _job(delete_snapshot, _ON_SNAPSHOT),
    _job(launch_instance, {**_ON_SNAPSHOT, "name": cfg.DEMO_NAME}),
    _job(suspend_instance, _ON_INSTANCE),
    _job(resume_instance, _ON_INSTANCE),
    _job(extend_instance, {**_ON_INSTANCE, "duration": "PT4H", "reason": "still needed"}),
    _job(terminate_instance, _ON_INSTANCE),
]
