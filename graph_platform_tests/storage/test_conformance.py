"""What every storage adapter promises. A new adapter is a new line in `ADAPTERS`, and a server that answers for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.connect import open_storage
from graph_platform.storage.protocol import Storage, StoredObject

# Google's SDK leaves the connection of a refused download to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

ADAPTERS = ("file_url", "s3_url", "gs_url")
"""The fixtures that give the URL of an empty root."""


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/some%20root"


@pytest.fixture(params=ADAPTERS)
def storage(request: pytest.FixtureRequest) -> Storage:
    return open_storage(request.getfixturevalue(request.param))


def test_what_was_written_is_read_back(storage: Storage) -> None:
    storage.write("a/b.json", b"first")
    storage.write("a/b.json", b"second")
    assert storage.read("a/b.json") == b"second"


def test_a_file_is_put_and_fetched_whole(storage: Storage, tmp_path: Path) -> None:
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.write_bytes(os.urandom(3_000_000))
    destination.write_bytes(b"something older")
    storage.put(source, "deep/er/file")
    storage.fetch("deep/er/file", destination)
    assert destination.read_bytes() == source.read_bytes()
    assert [item for item in tmp_path.iterdir() if item.name.startswith(".")] == []


def test_a_file_that_is_taken_is_an_object_and_no_file_any_more(storage: Storage, tmp_path: Path) -> None:
    source, content = tmp_path / "source", os.urandom(3_000_000)
    storage.write("deep/er/file", b"something older")
    source.write_bytes(content)
    storage.take(source, "deep/er/file")
    assert storage.read("deep/er/file") == content
    assert not source.exists()
    with pytest.raises(PlatformError):
        storage.take(tmp_path / "nothing", "deep/er/file")
    assert storage.read("deep/er/file") == content


def test_a_key_that_is_not_there_is_not_found(storage: Storage, tmp_path: Path) -> None:
    storage.write("folder/object", b"")
    for key in ("nothing", "folder", "folder/object/below"):
        for attempt in (lambda key=key: storage.read(key), lambda key=key: storage.fetch(key, tmp_path / "x")):
            with pytest.raises(PlatformError) as refused:
                attempt()
            assert refused.value.code in (ErrorCode.RESOURCE_NOT_FOUND, ErrorCode.STORAGE_ERROR)
            if key != "folder/object/below":
                assert refused.value.code is ErrorCode.RESOURCE_NOT_FOUND
    assert not (tmp_path / "x").exists()
    assert storage.local_path("nothing") is None


@pytest.mark.parametrize("key", ["a/b", "ada%40example.com/it's 100% \"é+#&=~?/1", "%25"])
def test_the_url_of_a_key_leads_back_to_it(storage: Storage, key: str) -> None:
    assert storage.key(storage.uri(key)) == storage.key(f"{storage.uri(key)}/") == key


@pytest.mark.parametrize("tail", ["", "/", "2/x"])
def test_a_url_outside_the_root_has_no_key(storage: Storage, tail: str) -> None:
    with pytest.raises(PlatformError) as refused:
        storage.key(storage.url + tail)
    assert refused.value.code is ErrorCode.VALIDATION_FAILED


def test_a_listing_is_in_the_order_of_keys_and_only_below_the_folder(storage: Storage) -> None:
    keys = ["a/b/1", "a/b-c", "a/b.txt", "a/b/2/3", "ab/1", "a/z", "Ä/ö"]
    for key in keys:
        storage.write(key, key.encode())
    assert [found.key for found in storage.list("")] == sorted(keys)
    assert list(storage.list("a/b")) == [StoredObject("a/b/1", 5), StoredObject("a/b/2/3", 7)]
    assert list(storage.list("a/b/")) == list(storage.list("a/b"))
    assert list(storage.list("nothing/here")) == []


def test_a_deletion_takes_the_folder_and_nothing_beside_it(storage: Storage) -> None:
    for key in ("a/b/1", "a/b/c/2", "a/bc", "a2/x"):
        storage.write(key, b"x")
    assert storage.delete("a/b") == 2
    assert [found.key for found in storage.list("")] == ["a/bc", "a2/x"]
    assert storage.delete("a/b") == 0
    assert storage.delete("a/bc") == 1
    assert [found.key for found in storage.list("")] == ["a2/x"]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../../b",
        "a//b",
        "./a",
        "a/.",
        "a\\b",
        "a\nb",
        "a\0b",
        ".partial-1",
        "a" * 2000,
        "x" * 250,
    ],
)
def test_what_is_not_a_key_is_refused(storage: Storage, key: str, tmp_path: Path) -> None:
    storage.write("kept", b"x")
    for attempt in (
        lambda: storage.read(key),
        lambda: storage.write(key, b""),
        lambda: storage.put(tmp_path / "x", key),
        lambda: storage.fetch(key, tmp_path / "x"),
        lambda: storage.delete(key),
    ):
        with pytest.raises(PlatformError) as refused:
            attempt()
        assert refused.value.code is ErrorCode.VALIDATION_FAILED
    assert [found.key for found in storage.list("")] == ["kept"]


def test_a_reader_never_sees_half_an_object(storage: Storage) -> None:
    contents = [bytes([letter]) * 400_000 for letter in b"ab"]
    storage.write("object", contents[0])
    stop = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(storage.read("object"))
            assert [found.bytes for found in storage.list("")] == [400_000]

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(40):
        storage.write("object", contents[turn % 2])
    stop.set()
    reader.join()
    assert seen and seen <= set(contents)
    assert [found.key for found in storage.list("")] == ["object"]


def test_writers_and_deletions_of_one_folder_do_not_fail_each_other(storage: Storage) -> None:
    failures: list[PlatformError] = []

    def work(action: Callable[[], object]) -> None:
        try:
            for _ in range(60):
                action()
        except PlatformError as error:
            failures.append(error)

    workers = [
        threading.Thread(target=work, args=(action,))
        for action in (lambda: storage.write("a/b/c/one", b"1"), lambda: storage.delete("a/b"))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
