"""What the platform asks of object storage: whole objects under keys, atomic to a reader, listed by prefix.

A key is a relative POSIX path (`owner/map-…/v1/snap-…/1/nodes/Airport/part-0.parquet`). An adapter is done when it
passes `graph_platform_tests/storage/test_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """An object as a listing shows it; `bytes` is its size."""

    key: str
    bytes: int


class Storage(Protocol):
    """A root under which objects are kept. Every method raises `PlatformError`: STORAGE_ERROR when storage answers
    with a failure (no space, no permission), BACKEND_UNREACHABLE when it does not answer, and RESOURCE_NOT_FOUND from
    `read` and `fetch` for a key that is not there.
    """

    @property
    def url(self) -> str:
        """The root, without a trailing slash."""
        ...

    def uri(self, key: str) -> str:
        """The URL under which a warehouse reads or writes that key or folder."""
        ...

    def key(self, uri: str) -> str:
        """The key of a URL that `uri` gave, also with a slash at its end: only the adapter knows what it escaped.

        Raises:
            PlatformError: VALIDATION_FAILED, for a URL outside this root.
        """
        ...

    def read(self, key: str) -> bytes:
        """A small object, whole."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Keep a small object; a reader sees all of it or none, and it survives a power cut."""
        ...

    def put(self, source: Path, key: str) -> None:
        """Keep a file as an object, with the promise of `write`."""
        ...

    def take(self, source: Path, key: str) -> None:
        """As `put`, and the file is gone afterwards: it becomes the object where it can, without a copy."""
        ...

    def fetch(self, key: str, destination: Path) -> None:
        """Copy an object to a file, replacing it; the file is whole or absent."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object already is as a file on this machine, to be read only; None if it has to be fetched."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key begins with the folder `prefix`, in the order of their keys."""
        ...

    def delete(self, prefix: str) -> int:
        """Remove every object under the folder `prefix`, and return how many; absent already counts as removed.

        Uploads into it that never ended go too: nobody sees them, and the bill does.
        """
        ...
