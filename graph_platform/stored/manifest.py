"""The manifest of a snapshot: what was exported, file by file, and the database file made from it.

It is the contract between the export, the process that builds the database and the server that opens it. It is written
last, inside its attempt's folder, so an attempt without one never counts. Plain dataclasses: the server reads it
on every start, and must not pay for a validation library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ManifestColumn:
    """A column, in the order of the files: the engine's COPY is positional.

    `file_type` is the Trino type in the Parquet file, `engine_type` the type of the table's column.
    """

    name: str
    warehouse_type: str
    file_type: str
    engine_type: str


@dataclass(frozen=True)
class ManifestFile:
    """One Parquet file; `key` is relative to the snapshot's folder."""

    key: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ManifestTable:
    """One definition's files. `name` is its folder; `table` the engine's table (label or edge type).

    For a node table `primary_key` names the key, and `from_node`, `to_node` are None; for an edge table the other way.
    """

    kind: str
    name: str
    table: str
    columns: tuple[ManifestColumn, ...]
    rows: int
    bytes: int
    files: tuple[ManifestFile, ...]
    primary_key: str | None = None
    from_node: str | None = None
    to_node: str | None = None


@dataclass(frozen=True)
class ManifestDatabase:
    """The graph database file; `key` is relative to the snapshot's folder."""

    engine: str
    engine_version: str
    storage_version: str
    key: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A whole snapshot attempt. `ddl` creates the tables, in order; nodes come before edges in `tables`."""

    snapshot: str
    mapping: str
    mapping_name: str
    mapping_version: int
    attempt: int
    created_at: str
    ddl: tuple[str, ...]
    tables: tuple[ManifestTable, ...]
    databases: tuple[ManifestDatabase, ...] = ()
    format_version: int = field(default=FORMAT_VERSION)

    def to_json(self) -> bytes:
        """The document that is stored."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read a stored manifest.

        Raises:
            ValueError: it is not a manifest, or one of a format that this version does not know.
        """
        try:
            document: dict[str, Any] = json.loads(content)
            if document["format_version"] != FORMAT_VERSION:
                raise ValueError(f"manifest format {document['format_version']} is not {FORMAT_VERSION}")
            tables = tuple(
                ManifestTable(
                    **{
                        **table,
                        "columns": tuple(ManifestColumn(**column) for column in table["columns"]),
                        "files": tuple(ManifestFile(**file) for file in table["files"]),
                    }
                )
                for table in document["tables"]
            )
            databases = tuple(ManifestDatabase(**database) for database in document["databases"])
            return cls(**{**document, "ddl": tuple(document["ddl"]), "tables": tables, "databases": databases})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a manifest: {error}") from error
