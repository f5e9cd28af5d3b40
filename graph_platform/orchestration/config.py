"""What a job may be told, as the Launchpad shows it: every field with its description, nothing with a rule.

The mapping's fields are not written again here: they are derived from `graph_platform.mapping.definition.model`. Config
has no constraints on purpose, since a rule in the config would stop the run at its first breach, and validation
reports all.
"""

import types
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast, get_args, get_origin

import yaml
from dagster import Config
from pydantic import BaseModel, Field, create_model
from pydantic_core import PydanticUndefined

from graph_platform.mapping.definition.document import mapping_of
from graph_platform.mapping.definition.model import MappingDefinition

DEMO_MAPPING = Path(__file__).parents[1] / "demo" / "flights.yaml"
DEMO_NAME = "flights"


@cache
def config_of(model: type[BaseModel]) -> type[Config]:
    """The Dagster config class with the fields, descriptions and defaults of a Pydantic model, all the way down.

    Dagster's config knows neither plain models nor tuples: they become config classes and lists.
    """
    fields: dict[str, Any] = {}
    for name, spec in model.model_fields.items():
        default = ... if spec.default is PydanticUndefined else spec.default
        if isinstance(default, tuple):
            default = list(default)
        fields[name] = (_config_type(spec.annotation), Field(default=default, description=spec.description))
    name = model.__name__.removesuffix("Definition") + "Config"
    return create_model(name, __base__=Config, __doc__=model.__doc__, __module__=__name__, **fields)


def _config_type(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return config_of(annotation)
    if get_origin(annotation) is tuple:
        item, _ = get_args(annotation)
        return types.GenericAlias(list, _config_type(item))
    if get_origin(annotation) in {Union, types.UnionType}:
        return Union[tuple(_config_type(choice) for choice in get_args(annotation))]  # noqa: UP007  built at run time
    return annotation


if TYPE_CHECKING:
    MappingConfig = Config
else:
    MappingConfig = config_of(MappingDefinition)


def mapping_definition(config: Config) -> MappingDefinition:
    """The mapping that a config describes.

    Raises:
        PlatformError: VALIDATION_FAILED with a report, as for a file.
    """
    return mapping_of(config.model_dump())


@cache
def demo_mapping() -> dict[str, Any]:
    """The demo's mapping, which jobs have as their default config."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast(dict[str, Any], yaml.load(DEMO_MAPPING.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506


_TTL = "How long it lives, an ISO 8601 duration such as P7D; empty: the installation's default."
_INACTIVITY = "How long it lives while nobody uses it, an ISO 8601 duration such as P3D; empty: the default."

_DATA_CHECKS = (
    "How much of the data is looked at: trusted (nothing), sampled (one key in seventeen; what is found is a warning) "
    "or enforced (every row; keys that are absent or doubled, and edges without their nodes, are errors)."
)


class ValidateMappingConfig(Config):
    """What `validate_mapping` needs."""

    mapping: MappingConfig = Field(description="The mapping itself, as in its file.")
    data_checks: str = Field(default="trusted", description=_DATA_CHECKS)


class CreateMappingConfig(Config):
    """What `create_mapping` needs."""

    mapping: MappingConfig = Field(description="The mapping itself, as in its file.")
    data_checks: str = Field(default="trusted", description=_DATA_CHECKS)


class UpdateMappingConfig(Config):
    """What `update_mapping` needs."""

    mapping: MappingConfig = Field(description="The whole mapping as it shall be, under the name that it has.")
    change_description: str = Field(default="", description="What changes and why, for the list of versions.")
    data_checks: str = Field(default="trusted", description=_DATA_CHECKS)


class ListMappingsConfig(Config):
    """What `list_mappings` needs: nothing."""


class ShowMappingConfig(Config):
    """What `show_mapping` needs."""

    mapping: str = Field(description="The mapping: its name or id, or NAME@VERSION for an older version.")


class DiffMappingConfig(Config):
    """What `diff_mapping` needs."""

    mapping: str = Field(description="The mapping to compare: its name or id, or NAME@VERSION for an older version.")


class SuggestMappingConfig(Config):
    """What `suggest_mapping` needs."""

    schema_name: str | None = Field(
        default=None, description="The schema whose tables become a graph; empty: the one that unqualified names mean."
    )
    sql: str | None = Field(default=None, description="Instead of a schema, one query that becomes a node.")
    edge: bool = Field(default=False, description="Whether the query becomes an edge.")
    name: str | None = Field(default=None, description="Name of the mapping; empty: that of the schema or the table.")
    refresh: bool = Field(default=False, description="Ask for the tables anew, however lately that was done.")


class RefreshSchemaCacheConfig(Config):
    """What `refresh_schema_cache` needs."""

    schema_name: str | None = Field(default=None, description="The schema; empty: the one of unqualified names.")


class DeleteMappingConfig(Config):
    """What `delete_mapping` needs."""

    mapping: str = Field(description="Name or id of the mapping.")


class CreateSnapshotConfig(Config):
    """What `create_snapshot` needs."""

    mapping: str = Field(description="The mapping to freeze: its name or id, or NAME@VERSION for an older version.")
    name: str | None = Field(default=None, description="A name to call the snapshot by, besides its id.")
    ttl: str | None = Field(default=None, description=_TTL)
    inactivity_timeout: str | None = Field(default=None, description=_INACTIVITY)
    data_checks: str = Field(default="trusted", description=_DATA_CHECKS)


class DeleteSnapshotConfig(Config):
    """What `delete_snapshot` needs."""

    snapshot: str = Field(description="Id or name of the snapshot.")


class LaunchInstanceConfig(Config):
    """What `launch_instance` needs."""

    snapshot: str = Field(
        description="The snapshot to serve: its id or name, or a mapping as NAME or NAME@VERSION for its newest one."
    )
    name: str | None = Field(
        default=None, description="A name for the instance. It makes the launch repeatable: same name, same instance."
    )
    ttl: str | None = Field(default=None, description=_TTL)
    inactivity_timeout: str | None = Field(default=None, description=_INACTIVITY)


class InstanceConfig(Config):
    """What the jobs need that act on one instance."""

    instance: str = Field(description="Id or name of the instance.")


class ExtendInstanceConfig(Config):
    """What `extend_instance` needs."""

    instance: str = Field(description="Id or name of the instance.")
    duration: str = Field(description="By how much its life is longer, an ISO 8601 duration such as PT4H.")
    reason: str = Field(description="Why, for the audit.")
