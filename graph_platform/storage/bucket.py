"""Objects in a bucket (`s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`): what is the same whichever cloud keeps them.

Each cloud's own SDK does the rest, in a module beside this: it finds the credentials, tries again, sends a large file
in parts that appear as one object or not at all, and tells its failures apart.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.keys import PARTIAL, check_key, check_prefix, key_below
from graph_platform.storage.protocol import StoredObject

PART_BYTES = 16 * 1024**2
"""How much of a large file is sent at once: with the 10,000 parts that S3 takes, files of up to 160 GB."""

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_UNAVAILABLE = frozenset({429, 502, 503, 504})  # a gateway speaks for a service that does not
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True)
class Place:
    """A bucket and the folder in it, as a URL names them; the prefix is empty or ends in a slash."""

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """The place of `SCHEME://BUCKET[/PREFIX]`. Nothing is percent-decoded, since Trino and Spark do not either.

        Raises:
            PlatformError: VALIDATION_FAILED. What stands in the bucket's place is not repeated: it may be a password.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, folder = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"the {scheme}: storage URL does not name a bucket after its two slashes",
                f"e.g. {scheme}://my-bucket/graph-platform; credentials come from the cloud's own environment",
            )
        folder = check_prefix(folder, whole_root=True)
        return cls(scheme, bucket, f"{folder}/" if folder else "")

    @property
    def url(self) -> str:
        """The URL again, without a trailing slash."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")


class Bucket(Protocol):
    """What an SDK does for us. Names are whole, with the prefix; failures are the SDK's own, until `failures`."""

    def read(self, name: str) -> bytes:
        """The object's content."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Keep the content in one request."""
        ...

    def upload(self, source: IO[bytes], name: str) -> None:
        """Keep what the file holds, in parts where it is large, as one object or not at all."""
        ...

    def download(self, name: str, destination: IO[bytes]) -> None:
        """Write the object into a file."""
        ...

    def list(self, prefix: str, limit: int | None = None) -> Iterator[StoredObject]:
        """The objects whose names begin with the text `prefix`, in the order of their UTF-8 bytes, page by page."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Remove them, those that are gone already too."""
        ...

    def abandon(self, name: str) -> None:
        """Give up the uploads of that object, and of those below it, that never ended."""
        ...

    def failures(self) -> AbstractContextManager[None]:
        """Turns what the SDK raises inside it into a `Failure`."""
        ...


@dataclass
class Failure(Exception):
    """What a cloud's service said: an HTTP status, its own code, and a sentence without credentials.

    A status of 0 is no answer at all; one of 401 also stands for credentials that were not found.
    """

    status: int
    code: str
    message: str


class BucketStorage:
    """Storage in a bucket, which has to be there already. Nothing is asked before the first operation."""

    def __init__(self, place: Place, bucket: Bucket, hint: str) -> None:
        """Keep objects in a place.

        Args:
            hint: where that cloud's credentials and endpoint come from, for somebody who is refused.
        """
        self._place = place
        self._bucket = bucket
        self._hint = hint

    @property
    def url(self) -> str:
        """The root, without a trailing slash."""
        return self._place.url

    def uri(self, key: str) -> str:
        """The URL of a key or folder, nothing escaped: an object's name is what stands there."""
        return f"{self.url}/{check_key(key.removesuffix('/'))}"

    def key(self, uri: str) -> str:
        """The key of such a URL as it stands there: a `%` belongs to the object's name."""
        return key_below(self.url, uri)

    def read(self, key: str) -> bytes:
        """The object's content."""
        with self._errors(key, absent_is_not_found=True):
            return self._bucket.read(self._name(key))

    def write(self, key: str, content: bytes) -> None:
        """Keep the content under the key, replacing what was there."""
        with self._errors(key):
            self._bucket.write(self._name(key), content)

    def put(self, source: Path, key: str) -> None:
        """Keep a copy of the file under the key."""
        name = self._name(key)
        with _file_errors(source), source.open("rb") as file, self._errors(key):
            self._bucket.upload(file, name)

    def take(self, source: Path, key: str) -> None:
        """Upload the file, then remove it."""
        self.put(source, key)
        source.unlink()

    def fetch(self, key: str, destination: Path) -> None:
        """Copy the object to a file, under another name until it is whole."""
        name = self._name(key)
        partial = destination.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
        try:
            with _file_errors(destination):
                with partial.open("xb") as file, self._errors(key, absent_is_not_found=True):
                    self._bucket.download(name, file)
                partial.chmod(0o600)
                partial.replace(destination)
        finally:
            partial.unlink(missing_ok=True)

    def local_path(self, key: str) -> Path | None:
        """None: an object of a bucket is never a file of this machine."""
        check_key(key)
        return None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object under the folder, in the order of keys, a page at a time."""
        folder = check_prefix(prefix, whole_root=True)
        with self._errors(folder or self.url):
            for found in self._bucket.list(f"{self._place.prefix}{folder}/" if folder else self._place.prefix):
                key = found.key.removeprefix(self._place.prefix)
                # A console makes empty objects such as `folder/` to show folders that have nothing in them.
                if not key.endswith("/") and key:
                    yield StoredObject(key, found.bytes)

    def delete(self, prefix: str) -> int:
        """Remove the objects under the folder, and the one object of that key."""
        name = self._name(check_prefix(prefix, whole_root=False))
        with self._errors(prefix):
            # First, so that an upload which ends meanwhile is an object that the listing finds.
            self._bucket.abandon(name)
            # The first name that begins so is that name itself, if there is one: no other sorts before it.
            names = [found.key for found in self._bucket.list(name, limit=1) if found.key == name]
            names += [found.key for found in self._bucket.list(f"{name}/")]
            if names:
                self._bucket.delete(names)
        return len(names)

    def _name(self, key: str) -> str:
        return check_key(self._place.prefix + check_key(key))

    @contextlib.contextmanager
    def _errors(self, key: str, *, absent_is_not_found: bool = False) -> Iterator[None]:
        try:
            with self._bucket.failures():
                yield
        except Failure as failure:
            raise self._error(failure, key, absent_is_not_found) from failure.__cause__

    def _error(self, failure: Failure, key: str, absent_is_not_found: bool) -> PlatformError:
        details = {"url": self.url, "status": failure.status, "code": failure.code}
        if failure.status == 404 and absent_is_not_found and failure.code != "NoSuchBucket":
            return PlatformError(ErrorCode.RESOURCE_NOT_FOUND, f"{key!r} is not in {self.url}", details=details)
        said = f"{failure.code}: {failure.message}" if failure.code else failure.message
        if failure.status == 0 or failure.status in _UNAVAILABLE:
            message = f"the storage {self.url} did not answer ({said})"
            return PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, self._hint, details)
        hint = self._hint if failure.status in _REFUSED else None
        if failure.status == 404:
            hint = f"make the bucket {self._place.bucket} first, or name another in GRAPH_PLATFORM_STORAGE"
        message = f"storage could not keep or give {key!r} in {self.url} ({said})"
        return PlatformError(ErrorCode.STORAGE_ERROR, message, hint, details)


@contextlib.contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"the file {error.filename or path} could not be read or written: {error.strerror or error}",
            "look at that disk: its space and the rights of this user",
            {"path": str(path)},
        ) from error
