"""Amazon S3 and what speaks its protocol (MinIO, Ceph), through the AWS SDK; see `bucket.py` for what is said of keys.

Credentials, region and endpoint are found as the AWS command line finds them: variables such as AWS_ACCESS_KEY_ID,
AWS_REGION and AWS_ENDPOINT_URL, then profiles, then the role of the pod or machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import IO, Any

import boto3
import botocore.config
import botocore.exceptions
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from s3transfer.exceptions import RetriesExceededError

from graph_platform.storage.bucket import (
    CONNECT_SECONDS,
    PART_BYTES,
    READ_SECONDS,
    BucketStorage,
    Failure,
    Place,
)
from graph_platform.storage.protocol import StoredObject

DELETED_AT_ONCE = 1000  # S3's limit for one request

_HINT = "see AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL, or the role of this pod or machine"
_TRANSFER = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
_CONFIG = botocore.config.Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
)


def s3_storage(url: str) -> BucketStorage:
    """The storage at an `s3:` URL.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    place = Place.parse(url)
    return BucketStorage(place, _S3Bucket(place.bucket), _HINT)


class _S3Bucket:
    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _client(self) -> Any:
        # A session of its own: boto3's default one may not be shared by threads while clients are made.
        return boto3.session.Session().client("s3", config=_CONFIG)

    def read(self, name: str) -> bytes:
        with contextlib.closing(self._client.get_object(Bucket=self._name, Key=name)["Body"]) as body:
            content: bytes = body.read()
            return content

    def write(self, name: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=name, Body=content)

    def upload(self, source: IO[bytes], name: str) -> None:
        # `upload_file` would tell of failures in a text; this raises what the service said.
        self._client.upload_fileobj(source, self._name, name, Config=_TRANSFER)

    def download(self, name: str, destination: IO[bytes]) -> None:
        self._client.download_fileobj(self._name, name, destination, Config=_TRANSFER)

    def list(self, prefix: str, limit: int | None = None) -> Iterator[StoredObject]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=prefix, PaginationConfig={"MaxItems": limit} if limit else {}
        )
        for page in pages:
            for found in page.get("Contents", ()):
                yield StoredObject(found["Key"], found["Size"])

    def delete(self, names: Sequence[str]) -> None:
        for start in range(0, len(names), DELETED_AT_ONCE):
            objects = [{"Key": name} for name in names[start : start + DELETED_AT_ONCE]]
            answer = self._client.delete_objects(Bucket=self._name, Delete={"Objects": objects, "Quiet": True})
            for error in answer.get("Errors", ()):  # the request is a success all the same
                status = 403 if error.get("Code") == "AccessDenied" else 500
                raise Failure(status, error.get("Code", ""), f"{error.get('Key')}: {error.get('Message', '')}")

    def abandon(self, name: str) -> None:
        # Parts are kept and paid for until somebody gives the upload up, also those of a writer that was killed.
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._name, Prefix=name)
        # Not every policy lets us look, and not every server can: what is meant to be removed is removed all the same.
        with contextlib.suppress(botocore.exceptions.ClientError):
            for page in pages:
                for found in page.get("Uploads", ()):
                    if found["Key"] == name or found["Key"].startswith(f"{name}/"):
                        self._give_up(found["Key"], found["UploadId"])

    def _give_up(self, name: str, upload: str) -> None:
        with contextlib.suppress(self._client.exceptions.NoSuchUpload):  # it ended just now
            self._client.abort_multipart_upload(Bucket=self._name, Key=name, UploadId=upload)

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        try:
            yield
        except botocore.exceptions.ClientError as error:
            said = error.response.get("Error", {})
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
            raise Failure(status, str(said.get("Code", "")), str(said.get("Message", ""))) from error
        except _NO_CREDENTIALS as error:
            raise Failure(401, type(error).__name__, str(error)) from error
        except _NO_ANSWER as error:
            raise Failure(0, type(error).__name__, str(error)) from error
        except (botocore.exceptions.BotoCoreError, Boto3Error, ValueError) as error:
            raise Failure(500, type(error).__name__, str(error)) from error


_NO_CREDENTIALS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOError,
)
_NO_ANSWER = (
    botocore.exceptions.HTTPClientError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
    RetriesExceededError,  # the content broke off, again and again
)
