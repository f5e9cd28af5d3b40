"""What a key may look like, the same for every adapter: what one refuses, another must not take."""

from __future__ import annotations

from collections.abc import Callable

from graph_platform.errors import ErrorCode, PlatformError

PARTIAL = ".partial-"
"""Begins the name of a file that is still being written; no key has a part that begins so."""

MAX_KEY_BYTES = 1024  # what S3 and GCS take
MAX_PART_BYTES = 200  # a file name of most file systems holds 255; the rest is for the name while it is written


def check_key(key: str) -> str:
    """The key, if it is one.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    for breaks, reason in _RULES:
        if breaks(key):
            raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{key!r} is not a storage key: {reason}")
    return key


def check_prefix(prefix: str, *, whole_root: bool) -> str:
    """The folder without a slash at its end; "" is the whole root, where that is allowed.

    Raises:
        PlatformError: VALIDATION_FAILED.
    """
    if not prefix and whole_root:
        return ""
    return check_key(prefix.removesuffix("/"))


def key_below(root: str, url: str) -> str:
    """The key of a URL, both with their escapes undone; a slash at its end is left out.

    Raises:
        PlatformError: VALIDATION_FAILED, if it is not below the root.
    """
    below = url.removeprefix(f"{root}/")
    if below == url:
        raise PlatformError(ErrorCode.VALIDATION_FAILED, f"{url} is not inside the storage {root}")
    return check_key(below.removesuffix("/"))


_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda key: not key, "it is empty"),
    (lambda key: key.startswith("/"), "it is absolute"),
    (lambda key: "\\" in key or not key.isprintable(), "it holds a backslash or a character that cannot be shown"),
    (lambda key: len(key.encode()) > MAX_KEY_BYTES, f"it is longer than {MAX_KEY_BYTES} bytes"),
    (lambda key: any(part in ("", ".", "..") for part in key.split("/")), "a part of it is empty, `.` or `..`"),
    (lambda key: any(part.startswith(PARTIAL) for part in key.split("/")), f"a part of it begins with {PARTIAL}"),
    (
        lambda key: any(len(part.encode()) > MAX_PART_BYTES for part in key.split("/")),
        f"a part of it is longer than {MAX_PART_BYTES} bytes",
    ),
)
