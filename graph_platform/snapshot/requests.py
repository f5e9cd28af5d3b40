"""What may be asked for about snapshots."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from graph_platform.requests import DATA_CHECKS, INACTIVITY, TTL, Request, mapping_name


class CreateSnapshot(Request):
    """Export a mapping's nodes and edges as Parquet files, and build the graph database from them."""

    job: ClassVar[str] = "create_snapshot"

    mapping: str = Field(description="The mapping to freeze: its name or id, or NAME@VERSION for an older version.")
    name: str | None = Field(
        default=None,
        description="A name for the snapshot, its own among all that live. It makes this repeatable: the same name for "
        "the same version is the same snapshot.",
    )
    ttl: str | None = Field(default=None, description=TTL)
    inactivity_timeout: str | None = Field(default=None, description=INACTIVITY)
    data_checks: str = Field(default="trusted", description=DATA_CHECKS)

    def about(self) -> dict[str, str]:
        return {"mapping": mapping_name(self.mapping)}

    def excludes(self) -> str | None:
        """Without a name two exports of one mapping are two snapshots; with one they are the same."""
        return f"snapshot:{self.name}" if self.name else None


class DeleteSnapshot(Request):
    """Delete a snapshot and its files, if no instance serves it."""

    job: ClassVar[str] = "delete_snapshot"

    snapshot: str = Field(description="Id or name of the snapshot.")

    def about(self) -> dict[str, str]:
        return {"snapshot": self.snapshot}

    def excludes(self) -> str:
        return f"snapshot:{self.snapshot}"
