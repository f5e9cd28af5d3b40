"""What only storage in a folder has: URLs, modes, links, a disk that is full."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.storage.connect import open_storage
from graph_platform.storage.file import FileStorage


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("file:///a/b", "/a/b"),
        ("file:///a/b/", "/a/b"),
        ("file:///a%20b/c%25d", "/a b/c%d"),
        ("file:///a b/#c?d", "/a b/#c?d"),
        ("file://localhost/a", "/a"),
    ],
)
def test_a_url_is_decoded_once_and_comes_back(url: str, root: str) -> None:
    storage = FileStorage(url)
    assert storage.root == Path(root)
    assert FileStorage(storage.url).root == Path(root)
    assert FileStorage(storage.uri("x y/%z")).root == Path(root) / "x y" / "%z"


@pytest.mark.parametrize("url", ["file:relative", "file://host/a", "ftp://bucket", "/a/b", "", "file://"])
def test_a_url_that_names_no_folder_here_is_refused(url: str) -> None:
    with pytest.raises(PlatformError) as refused:
        open_storage(url)
    assert refused.value.code is ErrorCode.VALIDATION_FAILED
    assert refused.value.hint


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    storage = FileStorage(f"file://{tmp_path}/root")
    before = os.umask(0o277)
    try:
        storage.write("a/b/c", b"x")
        storage.put(Path(__file__), "a/b/d")
    finally:
        os.umask(before)
    modes = {item.relative_to(tmp_path).as_posix(): item.stat().st_mode & 0o777 for item in tmp_path.rglob("*")}
    assert modes == {"root": 0o700, "root/a": 0o700, "root/a/b": 0o700, "root/a/b/c": 0o600, "root/a/b/d": 0o600}


def test_what_a_killed_writer_left_is_not_listed_and_goes_with_its_folder(tmp_path: Path) -> None:
    storage = FileStorage(f"file://{tmp_path}/root")
    program = (
        "import os, sys; from pathlib import Path; from graph_platform.storage.file import FileStorage\n"
        "with FileStorage(sys.argv[1])._writing('a/b') as file:\n file.write(b'half'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, storage.url], check=False).returncode == -9
    assert len(list((storage.root / "a").iterdir())) == 1
    assert list(storage.list("")) == []
    assert storage.delete("a") == 0
    assert list(storage.root.iterdir()) == []


def test_a_deletion_leaves_a_living_writer_alone(tmp_path: Path) -> None:
    storage = FileStorage(f"file://{tmp_path}/root")
    storage.write("a/old", b"x")
    with storage._writing("a/new") as file:
        file.write(b"whole")
        assert storage.delete("a") == 1
    assert storage.read("a/new") == b"whole"


def test_a_deletion_prunes_up_to_the_root_and_not_the_root(tmp_path: Path) -> None:
    storage = FileStorage(f"file://{tmp_path}/root")
    storage.write("a/b/c/d", b"x")
    assert storage.delete("a/b/c/d") == 1
    assert list(storage.root.iterdir()) == []
    assert storage.root.is_dir()


def test_a_link_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    storage = FileStorage(f"file://{tmp_path}/root")
    storage.write("a/kept", b"x")
    (storage.root / "a" / "link").symlink_to(outside)
    with pytest.raises(PlatformError) as refused:
        storage.read("a/link/secret")
    assert refused.value.code is ErrorCode.STORAGE_ERROR
    with pytest.raises(PlatformError):
        storage.write("a/link/new", b"x")
    assert [found.key for found in storage.list("")] == ["a/kept"]
    storage.delete("a")
    assert [item.name for item in outside.iterdir()] == ["secret"]


def test_a_full_disk_is_named_with_its_path_and_a_hint(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], check=False, stderr=-3)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs: run as root")
    try:
        storage = FileStorage(f"file://{small}/root")
        storage.write("kept", b"x")
        with pytest.raises(PlatformError) as refused:
            storage.write("too-large", b"x" * 2_000_000)
        assert [found.key for found in storage.list("")] == ["kept"]
        storage.write("kept", b"the failed write left nothing behind" * 100)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert refused.value.code is ErrorCode.STORAGE_ERROR
    assert refused.value.hint is not None and "full" in refused.value.hint
    assert refused.value.details["path"].startswith(str(small))


def test_a_file_in_the_place_of_a_folder_is_a_storage_error(tmp_path: Path) -> None:
    storage = FileStorage(f"file://{tmp_path}/root")
    storage.write("a", b"x")
    with pytest.raises(PlatformError) as refused:
        storage.write("a/b", b"x")
    assert refused.value.code is ErrorCode.STORAGE_ERROR
    assert refused.value.details["errno"] == errno.errorcode[errno.ENOTDIR]
    assert str(storage.root / "a") in refused.value.message
