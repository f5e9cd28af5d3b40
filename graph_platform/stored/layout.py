"""Where a snapshot's objects lie in storage: keys, and nothing else.

    {owner}/{mapping id}/v{version}/{snapshot id}/             the snapshot's folder
        {attempt}/nodes|edges/{definition}/part-0.parquet      an export job's attempt
        {attempt}/database/{engine}-{storage version}.db       the database that a snapshot's attempt built
        {attempt}/database/manifest.json                       written last: the attempt that counts

The owner is the only part that a person named, so it is escaped; everything else is an id or a checked label.
"""

from __future__ import annotations

from urllib.parse import quote

_KIND_FOLDERS = {"node": "nodes", "edge": "edges"}


def mapping_folder(owner: str, mapping_id: str, version: int) -> str:
    """The folder that holds a mapping version's snapshots."""
    return f"{quote(owner, safe='').replace('.', '%2E')}/{mapping_id}/v{version}"


def kind_folder(kind: str) -> str:
    """`nodes` or `edges`."""
    return _KIND_FOLDERS[kind]


def kind_folders() -> tuple[str, ...]:
    """Every folder of exports that an attempt may have."""
    return tuple(_KIND_FOLDERS.values())


def export_folder(attempt: int, kind: str, name: str) -> str:
    """An export job's folder, relative to the snapshot's."""
    return f"{attempt}/{kind_folder(kind)}/{name}"


def database_folder(attempt: int) -> str:
    """What a snapshot's attempt makes of the exports, relative to the snapshot's folder."""
    return f"{attempt}/database"


def database_key(attempt: int, engine: str, storage_version: str) -> str:
    """A database file, relative to the snapshot's folder."""
    return f"{database_folder(attempt)}/{engine}-{storage_version}.db"


def manifest_key(folder: str, attempt: int) -> str:
    """The manifest of an attempt, in full."""
    return f"{folder}/{database_folder(attempt)}/manifest.json"
