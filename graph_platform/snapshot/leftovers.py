"""Removes what attempts at a snapshot left in storage, and never what a later attempt may have written.

Whoever removes may have been asleep: a laptop that was closed, a paused machine. So everything here goes by the numbers
of attempts, which only rise: what carries a higher number than the remover knows belongs to its successor.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph_platform.catalog.records import ExportJobRecord
from graph_platform.storage.protocol import Storage
from graph_platform.stored.layout import database_folder, export_folder, kind_folders
from graph_platform.stored.manifest import Manifest


def remove_superseded(
    storage: Storage, folder: str, manifest: Manifest, jobs: Sequence[ExportJobRecord], manifest_key: str
) -> None:
    """What this attempt and earlier ones wrote into the snapshot's folder and the manifest does not name."""
    folders = [database_folder(attempt) for attempt in range(1, manifest.attempt)]
    folders += [export_folder(earlier, job.kind, job.name) for job in jobs for earlier in range(1, job.attempt)]
    for each in folders:  # whole, since an upload that was broken off is no object that could be listed
        storage.delete(f"{folder}/{each}")
    kept = {manifest_key, *(f"{folder}/{database.key}" for database in manifest.databases)}
    kept |= {f"{folder}/{file.key}" for table in manifest.tables for file in table.files}
    last_round = max((job.attempt for job in jobs), default=0)
    for found in list(storage.list(folder)):
        if found.key not in kept and _written_by(found.key.removeprefix(f"{folder}/"), manifest.attempt, last_round):
            storage.delete(found.key)


def remove_attempts(storage: Storage, folder: str, attempt: int, last_round: int) -> None:
    """All that the snapshot's attempts up to this one wrote, and its jobs' attempts up to that of the last round."""
    for number in range(1, attempt + 1):
        storage.delete(f"{folder}/{database_folder(number)}")
    for number in range(1, last_round + 1):
        for kind in kind_folders():
            storage.delete(f"{folder}/{number}/{kind}")


def _written_by(relative: str, attempt: int, last_round: int) -> bool:
    number, _, rest = relative.partition("/")
    known = attempt if rest.startswith("database/") else last_round
    return not number.isdigit() or int(number) <= known
