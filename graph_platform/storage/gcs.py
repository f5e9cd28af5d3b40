"""Google Cloud Storage through Google's SDK; see `bucket.py` for what is said of keys.

Credentials are Google's application default ones (GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth`, the service account of
the pod or machine); STORAGE_EMULATOR_HOST names another endpoint, which is asked without credentials.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import IO, Any

import google.api_core.exceptions
import google.auth.exceptions
import requests.exceptions
from google.cloud.exceptions import NotFound
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from graph_platform.storage.bucket import (
    CONNECT_SECONDS,
    PART_BYTES,
    READ_SECONDS,
    BucketStorage,
    Failure,
    Place,
)
from graph_platform.storage.protocol import StoredObject

DELETIONS_AT_ONCE = 8  # one request each: below the ten connections that the SDK keeps
RETRY_SECONDS = 30.0

_HINT = (
    "see GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, STORAGE_EMULATOR_HOST, "
    "or the service account of this pod or machine"
)


def gcs_storage(url: str) -> BucketStorage:
    """The storage at a `gs:` URL.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    place = Place.parse(url)
    return BucketStorage(place, _GcsBucket(place.bucket), _HINT)


class _GcsBucket:
    def __init__(self, name: str) -> None:
        self._name = name
        # Every request may be repeated: objects are replaced whole, and removed only by their names.
        self._patience: dict[str, Any] = {
            "timeout": (CONNECT_SECONDS, READ_SECONDS),
            "retry": DEFAULT_RETRY.with_timeout(RETRY_SECONDS),
        }

    @cached_property
    def _client(self) -> Any:
        return Client(project=None)  # objects have no need of a project, and finding one may fail

    @cached_property
    def _bucket(self) -> Any:
        return self._client.bucket(self._name)

    def read(self, name: str) -> bytes:
        content: bytes = self._bucket.blob(name).download_as_bytes(**self._patience)
        return content

    def write(self, name: str, content: bytes) -> None:
        blob = self._bucket.blob(name)
        blob.upload_from_string(content, content_type="application/octet-stream", **self._patience)

    def upload(self, source: IO[bytes], name: str) -> None:
        # Without a chunk size a part is 100 MB, which the SDK holds in memory.
        blob = self._bucket.blob(name, chunk_size=PART_BYTES)
        blob.upload_from_file(source, size=os.fstat(source.fileno()).st_size, **self._patience)

    def download(self, name: str, destination: IO[bytes]) -> None:
        self._bucket.blob(name).download_to_file(destination, **self._patience)

    def list(self, prefix: str, limit: int | None = None) -> Iterator[StoredObject]:
        found = self._client.list_blobs(
            self._name,
            prefix=prefix,
            max_results=limit,
            fields="items(name,size),nextPageToken",
            **self._patience,
        )
        for blob in found:
            yield StoredObject(blob.name, blob.size or 0)

    def delete(self, names: Sequence[str]) -> None:
        bucket = self._bucket

        def remove(name: str) -> None:
            with contextlib.suppress(NotFound):
                bucket.delete_blob(name, **self._patience)

        with ThreadPoolExecutor(min(DELETIONS_AT_ONCE, len(names))) as workers:
            for _ in workers.map(remove, names):
                pass

    def abandon(self, name: str) -> None:
        """Nothing: an upload that never ended is not billed, cannot be listed, and expires after a week."""

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        try:
            yield
        except google.api_core.exceptions.RetryError as error:
            raise Failure(0, type(error.cause or error).__name__, str(error.cause or error)) from error
        except google.api_core.exceptions.GoogleAPICallError as error:
            raise Failure(int(error.code or 500), type(error).__name__, str(error.message)) from error
        except (requests.exceptions.RequestException, google.auth.exceptions.TransportError) as error:
            raise Failure(0, type(error).__name__, str(error)) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise Failure(401, type(error).__name__, str(error)) from error
        except (google.api_core.exceptions.GoogleAPIError, ValueError) as error:
            raise Failure(500, type(error).__name__, str(error)) from error
