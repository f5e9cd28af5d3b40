"""Objects as files in a folder (`file:///FOLDER`): the laptop's storage, and a shared file system's.

An object is written under a temporary name in its own folder, synced, renamed, and the folder synced: a reader sees all
of it or none, also after a power cut. Nothing outside the root is ever read, written or removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.private import FILE_MODE, FOLDER_MODE
from graph_platform.processes.lock import lock, try_lock
from graph_platform.redaction import masked
from graph_platform.storage.keys import PARTIAL, check_key, check_prefix, key_below
from graph_platform.storage.protocol import StoredObject

CREATE_ATTEMPTS = 100

_HINTS = {
    errno.ENOSPC: "the disk is full: free space there, or delete old snapshots",
    errno.EDQUOT: "the quota is used up: free space there, or delete old snapshots",
    errno.EACCES: "give this user the right to read and write there",
    errno.EPERM: "give this user the right to read and write there",
    errno.EROFS: "the file system is read-only: mount it writable or choose another storage URL",
    errno.ENAMETOOLONG: "choose a shorter storage root",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EIO: "the disk failed: look at the system's log",
}


class FileStorage:
    """Storage in a folder. Folders are made with mode 0700 and files with 0600, whatever the umask."""

    def __init__(self, url: str) -> None:
        """Use the folder of a `file:` URL, percent escapes decoded; it is made on the first write.

        Raises:
            PlatformError: VALIDATION_FAILED if the URL names another host or a path that is not absolute.
        """
        parts = urlsplit(url)
        path = unquote(url[len("file://") + len(parts.netloc) :]) if url.startswith("file://") else ""
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path.startswith("/"):
            raise PlatformError(
                ErrorCode.VALIDATION_FAILED,
                f"{masked(url)!r} is not a file storage URL",
                "e.g. file:///var/lib/graph-platform",
            )
        if "\0" in path:
            raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{masked(url)!r} holds a NUL character")
        self.root = Path(os.path.normpath(path))

    @property
    def url(self) -> str:
        """The root as a URL, percent-escaped, without a trailing slash."""
        return f"file://{quote(str(self.root).rstrip('/'))}"

    def uri(self, key: str) -> str:
        """The `file:` URL of a key or folder."""
        return f"{self.url}/{quote(check_key(key.removesuffix('/')))}"

    def key(self, uri: str) -> str:
        """The key of such a URL, its escapes undone."""
        return key_below(unquote(self.url), unquote(uri))

    def read(self, key: str) -> bytes:
        """The object's content."""
        path = self._path(key)
        with _storage_errors(path, key):
            return path.read_bytes()

    def write(self, key: str, content: bytes) -> None:
        """Keep the content under the key, replacing what was there."""
        with self._writing(key) as file:
            file.write(content)

    def put(self, source: Path, key: str) -> None:
        """Keep a copy of the file under the key."""
        check_key(key)
        with _storage_errors(source, str(source)), source.open("rb") as content, self._writing(key) as file:
            shutil.copyfileobj(content, file, 1 << 20)

    def take(self, source: Path, key: str) -> None:
        """Make the file the object, by renaming it; a copy where it is on another file system, or is a link."""
        path = self._path(key)
        with _storage_errors(source, str(source)), source.open("rb") as content:
            os.fchmod(content.fileno(), FILE_MODE)
            os.fsync(content.fileno())
        if source.is_symlink() or not self._renamed(source, path, key):
            self.put(source, key)
            source.unlink()

    def fetch(self, key: str, destination: Path) -> None:
        """Copy the object to a file: by the kernel (`sendfile`), under another name until it is whole."""
        path = self._path(key)
        partial = destination.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
        with _storage_errors(path, key), _removed_on_failure(partial):
            if path.is_dir():
                raise FileNotFoundError(errno.ENOENT, "not an object", str(path))
            shutil.copyfile(path, partial)
            partial.chmod(FILE_MODE)
            partial.replace(destination)

    def local_path(self, key: str) -> Path | None:
        """The object's own file, or None if there is no such object."""
        path = self._path(key)
        return path if path.is_file() else None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object under the folder, in the order of keys; a folder that cannot be read is an error, not empty."""
        prefix = check_prefix(prefix, whole_root=True)
        folder = self._path(prefix) if prefix else self.root
        with _storage_errors(folder, prefix or self.url):
            yield from _objects(folder, prefix)

    def delete(self, prefix: str) -> int:
        """Remove the objects under the folder, or the one object of that key, then the folders that are empty now."""
        prefix = check_prefix(prefix, whole_root=False)
        path = self._path(prefix)
        with _storage_errors(path, prefix):
            removed = _remove(path)
            self._prune(path)
        return removed

    def _path(self, key: str) -> Path:
        path = self.root / check_key(key)
        if not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise PlatformError(
                ErrorCode.STORAGE_ERROR,
                f"{key!r} leads out of {self.root} through a symbolic link",
                "remove the link: storage holds plain files and folders only",
            )
        return path

    def _renamed(self, source: Path, path: Path, key: str) -> bool:
        with _storage_errors(path, key):
            for _ in range(CREATE_ATTEMPTS):
                with contextlib.suppress(FileNotFoundError):  # a deletion pruned the folder meanwhile
                    self._make_folders(path.parent)
                    try:
                        source.rename(path)
                    except OSError as error:
                        if error.errno != errno.EXDEV:
                            raise
                        return False
                    with contextlib.suppress(FileNotFoundError):  # deleted again already
                        _sync_folder(path.parent)
                    return True
            raise _pruned(path.parent)

    @contextlib.contextmanager
    def _writing(self, key: str) -> Iterator[IO[bytes]]:
        path = self._path(key)
        partial = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}")
        with _storage_errors(path, key), _removed_on_failure(partial):
            with self._create(partial) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)
            with contextlib.suppress(FileNotFoundError):  # deleted again already
                _sync_folder(path.parent)

    def _create(self, partial: Path) -> IO[bytes]:
        for _ in range(CREATE_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):  # a deletion pruned the folder meanwhile
                self._make_folders(partial.parent)
                descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
                file = os.fdopen(descriptor, "wb")
                lock(file.fileno())  # tells a deletion that the writer lives
                if os.fstat(file.fileno()).st_nlink:
                    os.fchmod(file.fileno(), FILE_MODE)
                    return file
                file.close()  # removed between its making and its locking
        raise _pruned(partial.parent)

    def _make_folders(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for made in reversed(missing):
            try:
                made.mkdir(FOLDER_MODE)
            except FileExistsError:
                if not made.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(made)) from None
                continue
            made.chmod(FOLDER_MODE)
            _sync_folder(made.parent)

    def _prune(self, path: Path) -> None:
        for folder in path.parents:
            if folder == self.root or not folder.is_relative_to(self.root):
                return
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone already: either way nothing is left to prune above it
                if folder.exists():
                    return


def _pruned(folder: Path) -> OSError:
    return OSError(errno.EBUSY, "the folder is removed again and again while it is written to", str(folder))


@contextlib.contextmanager
def _storage_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise PlatformError(
            ErrorCode.RESOURCE_NOT_FOUND, f"{name!r} is not in storage", details={"path": str(path)}
        ) from error
    except OSError as error:
        at = error.filename or path
        raise PlatformError(
            ErrorCode.STORAGE_ERROR,
            f"storage could not keep or give {name!r}: {error.strerror} ({at})",
            _HINTS.get(error.errno or 0),
            {"path": str(path), "errno": errno.errorcode.get(error.errno or 0, "")},
        ) from error


@contextlib.contextmanager
def _removed_on_failure(partial: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _objects(folder: Path, prefix: str) -> Iterator[StoredObject]:
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except (FileNotFoundError, NotADirectoryError):
        return
    # A folder sorts as its keys do, with the slash: `a-b` comes before `a/b`.
    named = sorted(
        (entry.name + ("/" if entry.is_dir(follow_symlinks=False) else ""), entry)
        for entry in entries
        if not entry.name.startswith(PARTIAL)
    )
    for name, entry in named:
        key = f"{prefix}/{entry.name}" if prefix else entry.name
        if name.endswith("/"):
            yield from _objects(Path(entry.path), key)
        elif entry.is_file(follow_symlinks=False):
            try:
                size = entry.stat(follow_symlinks=False).st_size
            except FileNotFoundError:  # removed since the folder was read
                continue
            yield StoredObject(key, size)


def _remove_leftover(partial: Path) -> None:
    """Remove what a writer left that no longer lives; a living one holds a lock on its file."""
    with contextlib.suppress(FileNotFoundError), partial.open("rb") as file:
        if try_lock(file.fileno()):
            partial.unlink()


def _remove(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        try:
            path.unlink()
        except (FileNotFoundError, IsADirectoryError):  # absent when it was looked at; a writer came since
            return 0
        return 1
    removed = 0
    children: list[Path] = []
    with contextlib.suppress(FileNotFoundError):
        children = list(path.iterdir())
    for child in children:
        if child.name.startswith(PARTIAL):
            _remove_leftover(child)
        else:
            removed += _remove(child)
    with contextlib.suppress(OSError):  # somebody wrote into it meanwhile: then it stays
        path.rmdir()
    return removed
