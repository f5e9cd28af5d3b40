"""What may be asked for about mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field

from graph_platform.mapping.definition.document import mapping_of
from graph_platform.mapping.definition.model import MappingDefinition
from graph_platform.requests import DATA_CHECKS, Request, mapping_name

_REFERENCE = "its name or id, or NAME@VERSION for an older version."


class _WithMapping(Request):
    """A request that carries a mapping itself, never a path on somebody's machine."""

    mapping: MappingDefinition = Field(description="The mapping itself, as in its file.")

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        return cls.model_validate({**document, "mapping": mapping_of(document["mapping"])})

    def about(self) -> dict[str, str]:
        return {"mapping": self.mapping.name}


class _OfMapping(Request):
    """A request about a mapping that is kept."""

    mapping: str

    def about(self) -> dict[str, str]:
        return {"mapping": mapping_name(self.mapping)}


class ValidateMapping(_WithMapping):
    """Check a mapping against the warehouse: structure, SQL, columns, keys and types, every problem at once."""

    job: ClassVar[str] = "validate_mapping"

    data_checks: str = Field(default="trusted", description=DATA_CHECKS)


class CreateMapping(_WithMapping):
    """Validate a mapping and keep it as version 1 under its name."""

    job: ClassVar[str] = "create_mapping"

    data_checks: str = Field(default="trusted", description=DATA_CHECKS)

    def excludes(self) -> str:
        return f"mapping:{self.mapping.name}"


class UpdateMapping(_WithMapping):
    """Validate a changed mapping and keep it as the next version."""

    job: ClassVar[str] = "update_mapping"

    mapping: MappingDefinition = Field(description="The whole mapping as it shall be, under the name that it has.")
    change_description: str = Field(default="", description="What changes and why, for the list of versions.")
    data_checks: str = Field(default="trusted", description=DATA_CHECKS)

    def excludes(self) -> str:
        return f"mapping:{self.mapping.name}"


class DeleteMapping(_OfMapping):
    """Delete a mapping that no snapshot depends on, or with those that do."""

    job: ClassVar[str] = "delete_mapping"

    mapping: str = Field(description="Name or id of the mapping.")
    with_snapshots: bool = Field(
        default=False, description="Delete its snapshots and their files too, unless an instance serves one."
    )

    def excludes(self) -> str:
        return f"mapping:{self.mapping}"


class ListMappings(Request):
    """The mappings that live, newest first."""

    job: ClassVar[str] = "list_mappings"


class ShowMapping(_OfMapping):
    """A mapping: what it is, its versions with who made them and why, and the definition of one of them."""

    job: ClassVar[str] = "show_mapping"

    mapping: str = Field(description=f"The mapping: {_REFERENCE}")


class DiffMapping(_OfMapping):
    """What changed in the warehouse since a mapping's version was kept: tables, columns and types."""

    job: ClassVar[str] = "diff_mapping"

    mapping: str = Field(description=f"The mapping to compare: {_REFERENCE}")


class SuggestMapping(Request):
    """A mapping made from a schema's tables or from one query, as YAML with a comment on every guess."""

    job: ClassVar[str] = "suggest_mapping"

    schema_name: str | None = Field(
        default=None, description="The schema whose tables become a graph; empty: the one that unqualified names mean."
    )
    sql: str | None = Field(default=None, description="Instead of a schema, one query that becomes a node.")
    edge: bool = Field(default=False, description="Whether the query becomes an edge.")
    name: str | None = Field(default=None, description="Name of the mapping; empty: that of the schema or the table.")
    refresh: bool = Field(default=False, description="Ask for the tables anew, however lately that was done.")


class RefreshSchemaCache(Request):
    """Ask the warehouse anew for its tables and columns, which suggestions and nearest names are made from."""

    job: ClassVar[str] = "refresh_schema_cache"

    schema_name: str | None = Field(default=None, description="The schema; empty: the one of unqualified names.")
