"""What a warehouse's tables are, kept in a file of this home for a while: for suggestions and nearest names only.

Validation never rests on it: what a query gives is always asked. A reader sees the old file or the new one, never half
of one, since the new one takes the old one's place in one step.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import is_own, own_folder, write_private
from graph_platform.relational import Column, ForeignKey, Relation
from graph_platform.settings import Settings, redacted
from graph_platform.warehouse.protocol import Warehouse


class SchemaCache:
    """The cache of one home and one warehouse. Safe to use from several processes.

    Args:
        folder: where the files are; made when the first is written.
        warehouse: what names the warehouse, without a secret.
        seconds: how long an answer counts; 0 for not at all.
        clock: seconds since the epoch.
    """

    def __init__(self, folder: Path, warehouse: str, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._warehouse = warehouse
        self._seconds = seconds
        self._clock = clock

    @classmethod
    def of(cls, settings: Settings) -> SchemaCache:
        """The cache of these settings."""
        return cls(settings.home / "cache", redacted(settings, "warehouse"), settings.schema_cache_seconds)

    def relations(self, warehouse: Warehouse, schema: str | None = None) -> tuple[Relation, ...]:
        """The tables of a schema: as they were kept if that is not too long ago, else asked and kept.

        Raises:
            PlatformError: as `Warehouse.relations`; what was kept stays then as it is.
        """
        kept = self.known(schema)
        return self.refresh(warehouse, schema) if kept is None else kept

    def known(self, schema: str | None = None) -> tuple[Relation, ...] | None:
        """The tables as they were kept, None if they were not, or too long ago. Nothing is asked.

        Raises:
            PlatformError: PERMISSION_DENIED if the cache is somebody else's: its tables would be what they like.
        """
        is_own(self._folder)
        try:
            document = json.loads(self._path(schema).read_bytes())
            age = self._clock() - document["at"]
            # A clock that was set back makes no answer live for ever.
            return tuple(map(_relation, document["relations"])) if 0 <= age < self._seconds else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent, or of another version of this program: as good as never kept

    def refresh(self, warehouse: Warehouse, schema: str | None = None) -> tuple[Relation, ...]:
        """Ask the warehouse and keep the answer.

        Raises:
            PlatformError: as `Warehouse.relations`, or STORAGE_ERROR if the file cannot be written.
        """
        at = self._clock()
        found = warehouse.relations(schema)
        document = {"at": at, "relations": [asdict(relation) for relation in found]}
        try:
            own_folder(self._folder)
            write_private(self._path(schema), json.dumps(document))
        except OSError as error:
            message = f"the schema cache {self._folder} cannot be written: {error.strerror or error}"
            raise PlatformError(ErrorCode.STORAGE_ERROR, message, "check GRAPH_PLATFORM_HOME and its disk") from error
        return found

    def _path(self, schema: str | None) -> Path:
        name = hashlib.sha256(json.dumps([self._warehouse, schema]).encode()).hexdigest()[:24]
        return self._folder / f"schema-{name}.json"


def _relation(document: dict[str, Any]) -> Relation:
    return Relation(
        document["name"],
        document["reference"],
        tuple(Column(**column) for column in document["columns"]),
        tuple(document["primary_key"]),
        tuple(
            ForeignKey(tuple(key["columns"]), key["relation"], tuple(key["referenced"]))
            for key in document["foreign_keys"]
        ),
    )
