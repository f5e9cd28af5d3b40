"""Whom the embedded Postgres runs as: this user; for root, which Postgres refuses to be, somebody without a login.

Here is how a process becomes that account and whether it then reaches the programs of the wheel, tried and not guessed.
What those programs are told to do belongs in `embedded`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graph_platform.errors import ErrorCode, PlatformError

_ELSEWHERE = "set GRAPH_PLATFORM_CATALOG to a Postgres URL"

# Root's folder is closed to everybody else on most machines, and the wheel and the data may be below it: the server
# keeps the one capability that lets it pass. It also lets it make its socket in a folder that no other `nobody` can
# enter.
_CAPABILITY = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
# access(2), by which initdb and postgres look for their own programs, leaves capabilities out of account for everybody
# but root, unless this bit says that a change of the user changes no capability.
_COUNTED = ("--securebits=+no_setuid_fixup",)
# The first that works. A container may withhold the right to set such bits; the second then still serves a wheel that
# everybody can reach. Copying the programs to where the account reaches them lost: without root's folders there is no
# place that is ours alone, outlives a restart and lets programs run.
_WAYS = ((*_CAPABILITY, *_COUNTED), _CAPABILITY)

_TRY = 'for folder do cd "$folder" 2>/dev/null || { printf %s "$folder"; exit; }; done'


@dataclass(frozen=True)
class Account:
    """Whom the server runs as, and the words put before its command line to become that."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()


def account(data: Path, initdb: Path, environment: Mapping[str, str]) -> Account:
    """The account for a data folder: this user; for root, the folder's owner, or `nobody` for a new one.

    It is only returned after `initdb` has run under it and found what belongs to it, some 10 ms.

    Raises:
        PlatformError: BACKEND_UNREACHABLE, with what keeps the account from running the wheel's programs.
    """
    if os.geteuid() != 0:
        found = Account(os.geteuid(), os.getegid())
        said = _refusal(found, initdb, environment)
        if said:
            raise _broken(initdb, said)
        return found
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise _unusable(
            "Postgres refuses to run as root, and setpriv (util-linux) is not there to run it as somebody else",
            f"run as an ordinary user, install util-linux, or {_ELSEWHERE}",
        )
    uid, gid = _other(data)
    identity = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    said = ""
    for way in _WAYS:
        found = Account(uid, gid, (setpriv, *identity, *way))
        said = _refusal(found, initdb, environment)
        if not said:
            return found
    who = f"Postgres refuses to run as root, and {user_name(uid)}, who would run it"
    if said.startswith("setpriv:") and "execute" not in said:
        raise _unusable(f"{who}, cannot be had: {said}", f"run as an ordinary user, or {_ELSEWHERE}")
    closed = first_closed_folder(initdb, uid, gid)
    if closed:
        raise _unusable(
            f"{who}, may not enter {closed}, which its programs are below ({said})",
            f"install below folders that everybody may enter, run as an ordinary user, or {_ELSEWHERE}",
        )
    raise _broken(initdb, said)


def first_closed_folder(path: Path, uid: int, gid: int) -> Path | None:
    """The first folder on the way to a file that a user without capabilities may not enter. Only root can ask."""
    folders = [os.fspath(folder) for folder in reversed(path.parents)]
    tried = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'for folder do cd "$folder" 2>/dev/null || { printf %s "$folder"; exit; }; done',
            "",
            *folders,
        ],
        user=uid,
        group=gid,
        extra_groups=(),
        cwd="/",
        capture_output=True,
        check=False,
    )
    return Path(os.fsdecode(tried.stdout)) if tried.stdout else None


def _other(data: Path) -> tuple[int, int]:
    try:
        found = data.stat()
        if found.st_uid:
            return found.st_uid, found.st_gid
    except FileNotFoundError:
        pass
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise _unusable(
            "Postgres refuses to run as root, and this machine has no user `nobody` to run it as",
            f"run as an ordinary user, add `nobody` to /etc/passwd, or {_ELSEWHERE}",
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def _refusal(account: Account, initdb: Path, environment: Mapping[str, str]) -> str:
    """What initdb says if it does not come as far as finding its programs and files; "" if it does."""
    command = [*account.prefix, os.fspath(initdb), "--show", "-D", "/", "-U", "nobody", "--no-locale"]
    try:
        tried = subprocess.run(
            command, env=environment, cwd="/", capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        return error.strerror or str(error)
    if tried.returncode == 0:
        return ""
    lines = [line.strip() for line in tried.stderr.splitlines() if line.strip()]
    return next((line for line in lines if "rror: " in line or line.startswith("setpriv:")), (lines or ["no word"])[0])


def user_name(uid: int) -> str:
    """A user's name, or its number where the password file has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _broken(initdb: Path, said: str) -> PlatformError:
    return _unusable(
        f"{initdb} does not run: {said}", f"install the wheel anew where programs may run, or {_ELSEWHERE}"
    )


def _unusable(message: str, hint: str) -> PlatformError:
    return PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, hint)
