"""What only storage in a bucket has: parts, pages, neighbours of its prefix, and a service that refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage import gcs
from graph_platform.storage.bucket import PART_BYTES
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage
from graph_platform.storage.s3 import DELETED_AT_ONCE
from graph_platform_tests.services.buckets import SECRET, begin_upload, unfinished_uploads
from graph_platform_tests.services.proxy import Proxy

# Google's SDK leaves the connection of a refused download to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

ENDPOINTS = {"s3": "AWS_ENDPOINT_URL", "gs": "STORAGE_EMULATOR_HOST"}


@pytest.fixture(params=ENDPOINTS)
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def storage(url: str) -> Storage:
    return open_storage(url)


@pytest.fixture
def proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between the service and every storage that is opened after this."""
    variable = ENDPOINTS[urlsplit(url).scheme]
    target = urlsplit(os.environ[variable]).port
    assert target
    with Proxy(target) as between:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{between.port}")
        yield between


def test_a_file_of_several_parts_becomes_one_object(storage: Storage, tmp_path: Path) -> None:
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.write_bytes(os.urandom(2 * PART_BYTES + 12345))
    storage.put(source, "database.db")
    storage.fetch("database.db", destination)
    assert destination.read_bytes() == source.read_bytes()
    assert destination.stat().st_mode & 0o777 == 0o600
    assert [(found.key, found.bytes) for found in storage.list("")] == [("database.db", source.stat().st_size)]


def test_an_empty_file_is_an_object(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    storage.put(tmp_path / "empty", "empty")
    storage.fetch("empty", tmp_path / "fetched")
    assert storage.read("empty") == (tmp_path / "fetched").read_bytes() == b""


def test_more_objects_than_a_page_holds_are_listed_and_deleted(storage: Storage) -> None:
    keys = [f"folder/{number}" for number in range(DELETED_AT_ONCE + 20)]
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda key: storage.write(key, b"x"), keys))
    storage.write("folder2/kept", b"x")
    assert [found.key for found in storage.list("folder")] == sorted(keys)
    assert storage.delete("folder") == len(keys)
    assert [found.key for found in storage.list("")] == ["folder2/kept"]


def test_a_deletion_gives_up_the_uploads_below_it_that_never_ended(s3_url: str) -> None:
    for key in ("a/b/1", "a/b", "a/bc"):
        begin_upload(f"{s3_url}/{key}")
    assert open_storage(s3_url).delete("a/b") == 0, "none of them was an object"
    assert unfinished_uploads(s3_url) == [f"{s3_url}/a/bc"]


def test_a_deletion_needs_no_right_to_look_at_uploads(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port or 0) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{between.port}")
        storage = open_storage(s3_url)
        storage.write("a/b", b"x")
        between.failures = [403]
        assert storage.delete("a") == 1
        assert between.failures == []


def test_a_root_sees_nothing_of_its_neighbours(url: str) -> None:
    bucket = "/".join(url.split("/")[:3])
    whole, one, other = open_storage(bucket), open_storage(f"{bucket}/a"), open_storage(f"{bucket}/ab/")
    for storage in (whole, one, other):
        storage.write("x/y", b"x")
    assert [found.key for found in one.list("")] == ["x/y"]
    assert [found.key for found in whole.list("")] == ["a/x/y", "ab/x/y", "x/y"]
    assert one.delete("x") == 1
    assert [found.key for found in whole.list("")] == ["ab/x/y", "x/y"]
    assert (whole.url, other.url) == (bucket, f"{bucket}/ab")


def test_a_folder_that_a_console_made_is_not_an_object_of_ours(url: str, storage: Storage) -> None:
    storage._bucket.write(storage._place.prefix, b"")  # type: ignore[attr-defined]
    storage._bucket.write(f"{storage._place.prefix}folder/", b"")  # type: ignore[attr-defined]
    storage.write("folder/object", b"x")
    assert [found.key for found in storage.list("")] == ["folder/object"]


@pytest.mark.parametrize("scheme", ENDPOINTS)
def test_a_warehouse_is_told_the_name_of_an_object_as_it_is(scheme: str) -> None:
    storage = open_storage(f"{scheme}://my-bucket/some root/")
    assert storage.url == f"{scheme}://my-bucket/some root"
    assert storage.uri("nodes/A b%20/") == f"{scheme}://my-bucket/some root/nodes/A b%20"
    assert open_storage(f"{scheme}://my-bucket").uri("x") == f"{scheme}://my-bucket/x"
    assert storage.local_path("x") is None


@pytest.mark.parametrize("scheme", ENDPOINTS)
@pytest.mark.parametrize(
    "rest", ["//", "///key", "bucket", "//Bucket/a", "//user:hunter2@bucket/a", "//bucket/../a", "//bucket//a", "//b:1"]
)
def test_a_url_that_names_no_bucket_is_refused_without_its_password(scheme: str, rest: str) -> None:
    with pytest.raises(PlatformError) as refused:
        open_storage(f"{scheme}:{rest}")
    assert refused.value.code is ErrorCode.VALIDATION_FAILED
    assert "hunter2" not in str(refused.value)


def test_a_bucket_that_is_not_there_is_named_with_what_to_do(url: str) -> None:
    storage = open_storage(f"{urlsplit(url).scheme}://no-such-bucket-here")
    for attempt in (lambda: storage.write("x", b""), lambda: list(storage.list("")), lambda: storage.delete("x")):
        with pytest.raises(PlatformError) as refused:
            attempt()
        assert refused.value.code is ErrorCode.STORAGE_ERROR
        assert "no-such-bucket-here" in (refused.value.hint or "")


def operations(storage: Storage, folder: Path) -> dict[str, Callable[[], object]]:
    (folder / "source").write_bytes(b"x" * (PART_BYTES + 1))
    return {
        "read": lambda: storage.read("key"),
        "write": lambda: storage.write("key", b"new"),
        "put": lambda: storage.put(folder / "source", "key"),
        "fetch": lambda: storage.fetch("key", folder / "fetched"),
        "list": lambda: list(storage.list("")),
        "delete": lambda: storage.delete("key"),
    }


@pytest.mark.parametrize("operation", ["read", "write", "put", "fetch", "list", "delete"])
def test_a_refusal_names_the_credentials_and_shows_none_of_them(
    storage: Storage, url: str, proxy: Proxy, tmp_path: Path, operation: str
) -> None:
    storage.write("key", b"old")
    proxy.failures = [403] * 50
    with pytest.raises(PlatformError) as refused:
        operations(open_storage(url), tmp_path)[operation]()
    assert refused.value.code is ErrorCode.STORAGE_ERROR
    assert refused.value.hint and ("AWS_ACCESS_KEY_ID" in refused.value.hint or "GOOGLE_" in refused.value.hint)
    shown = "".join(traceback.format_exception(refused.value)) + repr(storage) + repr(refused.value.document())
    assert SECRET not in shown
    proxy.failures = []
    assert storage.read("key") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("failure", [0, 503])
@pytest.mark.parametrize("operation", ["read", "write", "put", "fetch", "list", "delete"])
def test_a_service_that_stumbles_once_is_asked_again(
    storage: Storage, url: str, proxy: Proxy, tmp_path: Path, operation: str, failure: int
) -> None:
    storage.write("key", b"old")
    proxy.failures = [failure]
    operations(open_storage(url), tmp_path)[operation]()
    assert proxy.failures == []


@pytest.mark.parametrize("operation", ["read", "write", "put", "fetch", "list", "delete"])
def test_a_service_that_does_not_answer_is_unreachable(
    url: str, tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "RETRY_SECONDS", 1.0)
    for variable in ENDPOINTS.values():
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(PlatformError) as refused:
        operations(open_storage(url), tmp_path)[operation]()
    assert refused.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert refused.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


class _BreakingOff(BaseHTTPRequestHandler):
    """Promises a thousand bytes, gives ten, and hangs up."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.send_header("ETag", '"tag"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"0123456789")

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("operation", ["read", "fetch"])
def test_an_object_that_breaks_off_is_never_taken_for_whole(
    url: str, tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs, "RETRY_SECONDS", 1.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _BreakingOff)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for variable in ENDPOINTS.values():
            monkeypatch.setenv(variable, f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(PlatformError) as refused:
            operations(open_storage(url), tmp_path)[operation]()
    finally:
        server.shutdown()
        server.server_close()
    assert refused.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("scheme", ENDPOINTS)
def test_without_credentials_it_says_where_they_would_come_from(
    scheme: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "STORAGE_EMULATOR_HOST"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(PlatformError) as refused:
        open_storage(f"{scheme}://my-bucket").read("x")
    assert refused.value.code is ErrorCode.STORAGE_ERROR
    assert refused.value.hint and ("AWS_PROFILE" in refused.value.hint or "gcloud auth" in refused.value.hint)


def test_storage_in_a_folder_loads_no_sdk() -> None:
    program = (
        "import sys; from graph_platform.storage.connect import open_storage; open_storage('file:///x')\n"
        "assert not {'boto3', 'botocore', 'google.cloud.storage', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
