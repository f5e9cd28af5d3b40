"""What the kernel keeps a process from for good: files other than its own, the network, and other processes.

Landlock for files, and for whatever else this kernel's has; a filter of system calls (seccomp) for what Landlock lets
through. Neither needs any right, and neither can be taken back. A kernel that lacks one of them is told of by `kept`,
and the other one still holds. The numbers are those of Linux' headers; a library for the two exists, and starts other
programs at its import.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same on every architecture
_LANDLOCK_VERSION = 1
_LANDLOCK_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY, _REMOVE_DIRECTORY, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIRECTORY, _MAKE_FILE, _TRUNCATE = 1 << 7, 1 << 8, 1 << 14
_READ = _READ_FILE | _READ_DIRECTORY
_WRITE = _WRITE_FILE | _REMOVE_DIRECTORY | _REMOVE_FILE | _MAKE_DIRECTORY | _MAKE_FILE | _TRUNCATE
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

# By the version of Landlock that brought it: how many rights there are of files, of the network, and of scopes.
_RIGHTS: Sequence[tuple[int, int, int]] = (
    *((13, 0, 0), (14, 0, 0), (15, 0, 0), (15, 2, 0), (16, 2, 0), (16, 2, 2)),
    *((16, 2, 2), (16, 2, 2), (17, 2, 2), (17, 4, 2)),
)


@dataclass(frozen=True)
class _Machine:
    """An architecture's number of itself, and of the system calls that are filtered."""

    audit: int
    seccomp: int
    clone: int
    clone3: int
    refused: frozenset[int]
    most: int | None = None
    """Numbers from here on are those of another calling convention."""


# socket socketpair bind connect listen accept accept4: what is open already is the only way out
# fork vfork execve execveat; ptrace process_vm_readv process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal
# kill tkill; io_uring (it does what is filtered here); bpf perf_event_open userfaultfd; mount umount2 pivot_root chroot
# open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr; keyctl add_key request_key; unshare setns
# open_by_handle_at name_to_handle_at; init_module finit_module delete_module kexec_load
_MACHINES: Mapping[str, _Machine] = {
    "x86_64": _Machine(
        0xC000003E,
        317,
        56,
        435,
        frozenset(
            (
                *(41, 53, 49, 42, 50, 43, 288, 57, 58, 59, 322),
                *(101, 310, 311, 312, 434, 438, 424, 62, 200, 425, 426, 427, 321, 298, 323, 165, 166, 155, 161),
                *(428, 429, 430, 431, 432, 433, 442, 250, 248, 249, 272, 308, 304, 303, 175, 313, 176, 246),
            )
        ),
        most=0x40000000,
    ),
    "aarch64": _Machine(
        0xC00000B7,
        277,
        220,
        435,
        frozenset(
            (
                *(198, 199, 200, 203, 201, 202, 242, 221, 281),
                *(117, 270, 271, 272, 434, 438, 424, 129, 130, 425, 426, 427, 280, 241, 282, 40, 39, 41, 51),
                *(428, 429, 430, 431, 432, 433, 442, 219, 217, 218, 97, 268, 265, 264, 105, 273, 106, 104),
            )
        ),
    ),
}

_CLONE_THREAD = 0x00010000
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, _SECCOMP_GET_ACTION_AVAIL = 1, 1, 2
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


@dataclass(frozen=True)
class Kept:
    """What this kernel keeps: the version of its Landlock, 0 without, and whether it filters system calls."""

    landlock: int
    seccomp: bool


def kept() -> Kept:
    """What `confine` will do here."""
    version = _call(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    machine = _MACHINES.get(platform.machine())
    error = ctypes.c_uint32(_ERROR)
    filters = machine and _call(machine.seccomp, _SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(error)) == 0
    return Kept(max(0, version), bool(filters))


def confine(readable: Iterable[Path], writable: Iterable[Path] = ()) -> Kept:
    """Keep this thread, and every one that it starts, to these files; and the whole process from the network, from
    starting programs and from touching other processes.

    Threads that there are already go on to reach files, so this comes before any that does what others say. Files that
    are open stay so, and what has not been imported by now cannot be.

    Args:
        readable: files, or folders with all in them.
        writable: the same, in which files may be made, written and removed.

    Raises:
        OSError: the kernel has these, and refuses; or a file is not there.
    """
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    found = kept()
    if found.landlock:
        _restrict_files(
            found.landlock, [*((path, _READ) for path in readable), *((path, _READ | _WRITE) for path in writable)]
        )
    if found.seccomp:
        _filter_calls(_MACHINES[platform.machine()])
    return found


def _restrict_files(version: int, allowed: Sequence[tuple[Path, int]]) -> None:
    files, network, scopes = ((1 << count) - 1 for count in _RIGHTS[min(version, len(_RIGHTS)) - 1])
    handled = struct.pack("=QQQ", files, network, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _checked(_call(_LANDLOCK_CREATE, handled, size, 0))
    try:
        for path, rights in allowed:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                possible = rights & files & (-1 if path.is_dir() else _OF_A_FILE)
                _checked(_call(_LANDLOCK_ADD, rules, _LANDLOCK_PATH_BENEATH, struct.pack("=Qi", possible, opened), 0))
            finally:
                os.close(opened)
        _checked(_call(_LANDLOCK_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _filter_calls(machine: _Machine) -> None:
    content = b"".join(struct.pack("=HBBI", *step) for step in _steps(machine))
    steps = ctypes.create_string_buffer(content, len(content))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(content) // 8, ctypes.addressof(steps)))
    # All threads at once: the answer is the number of one for which that could not be done.
    if _checked(_call(machine.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, program)):
        raise OSError(errno.EBUSY, "a thread of this process cannot be kept from system calls")


def _steps(machine: _Machine) -> list[tuple[int, int, int, int]]:
    """The filter: each step an operation, how many steps to skip if it holds and if not, and its operand."""
    refuse, unknown = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, machine.audit), (_RETURN, 0, 0, _KILL)]
    steps.append((_LOAD, 0, 0, _NUMBER))
    if machine.most is not None:
        steps += [(_AT_LEAST, 0, 1, machine.most), (_RETURN, 0, 0, refuse)]
    # The arguments of clone3 lie where a filter cannot look; the C library then takes clone.
    steps += [(_EQUAL, 0, 1, machine.clone3), (_RETURN, 0, 0, unknown)]
    for number in sorted(machine.refused):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    steps += [(_EQUAL, 0, 3, machine.clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 1, 0, _CLONE_THREAD)]
    steps += [(_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
    return steps


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    """A system call's result, the negative error where it failed."""
    libc = _libc()
    libc.syscall.restype = ctypes.c_long
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *passed))
    return result if result >= 0 else -ctypes.get_errno()


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
