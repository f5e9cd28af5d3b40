"""What is wrong with a set-up, and how to mend it: one line per check, each looked at on its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click

from graph_platform.catalog.catalog import Catalog
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.cli import options
from graph_platform.cli.machine.dev import find_dev, free_port
from graph_platform.cli.output import Output
from graph_platform.confined.kernel import kept
from graph_platform.errors import PlatformError
from graph_platform.orchestration.home import prepare
from graph_platform.platform import Platform
from graph_platform.private import private_folder, readable_by_others
from graph_platform.runtime.protocol import Presence
from graph_platform.settings import Settings, redacted, without_secrets
from graph_platform.stored.mark import claim_storage
from graph_platform.warehouse.connect import duckdb_path

_OK, _WARN, _FAIL = "ok", "warn", "fail"
_LOW_DISK = 2 * 1000**3
_NO_DISK = 200 * 1000**2
_ANSWER_SECONDS = 30.0
_MODULES = ("dagster", "dagster_postgres", "dagster_webserver", "sqlalchemy", "psycopg", "duckdb", "sqlglot", "pyarrow")
_ENGINES = ("ladybug", "ryugraph")


@dataclass(frozen=True)
class Check:
    """The outcome of one look: `ok`, `warn` or `fail`, what was seen, and what mends it."""

    name: str
    status: str
    message: str
    hint: str | None = None


@click.command
@options.output
def doctor(output: Output) -> int:
    """Check this set-up, line by line, and say how to mend what is wrong. Exit status 1 if something is."""
    checks: list[Check] = []
    settings = _settings(checks)
    if settings:
        for name, look in _LOOKS.items():
            checks += _careful(name, look, settings)
        checks = [Check(**without_secrets(asdict(check))) for check in checks]
    if output.as_json:
        failed = any(check.status == _FAIL for check in checks)
        output.document({"status": _FAIL if failed else _OK, "checks": [asdict(check) for check in checks]})
    else:
        output.table(["", "check", "what was found"], [(c.status, c.name, c.message) for c in checks])
        for check in checks:
            if check.hint and check.status != _OK:
                output.say(f"{check.name}: {check.hint}", "yellow" if check.status == _WARN else "red")
    return 1 if any(check.status == _FAIL for check in checks) else 0


def _settings(checks: list[Check]) -> Settings | None:
    try:
        settings = Settings.load()
    except PlatformError as error:
        checks.append(Check("settings", _FAIL, error.message, error.hint))
        return None
    checks.append(Check("settings", _OK, f"home {settings.home}, user {settings.user}"))
    return settings


def _careful(name: str, look: Callable[[Settings], Iterator[Check]], settings: Settings) -> list[Check]:
    """One look must not keep the others from being taken."""
    found: list[Check] = []
    try:
        found += look(settings)
    except PlatformError as error:
        found.append(Check(name, _FAIL, error.message, error.hint))
    except Exception as error:  # noqa: BLE001  whatever it is, it is what is wrong here
        found.append(Check(name, _FAIL, f"{type(error).__name__}: {error}"))
    return found


def _python(_: Settings) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", _OK, f"Python {version}, {sys.prefix}")


def _packages(_: Settings) -> Iterator[Check]:
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        yield Check("packages", _FAIL, f"not installed: {', '.join(missing)}", "rm .venv/.installed, then `make test`")
    else:
        yield Check("packages", _OK, f"{len(_MODULES)} of {len(_MODULES)} are there")


def _engines(settings: Settings) -> Iterator[Check]:
    # A process each: two engines in one process break each other, and a wheel for another machine crashes.
    for engine in _ENGINES:
        ran = subprocess.run(
            [sys.executable, "-c", f"import {engine}"], capture_output=True, text=True, timeout=60, check=False
        )
        if ran.returncode == 0:
            yield Check(f"engine {engine}", _OK, f"version {importlib.metadata.version(engine)}")
            continue
        said = ran.stderr.strip().splitlines()
        status = _FAIL if engine == settings.engine else _WARN
        yield Check(f"engine {engine}", status, said[-1] if said else f"exit {ran.returncode}", f"pip install {engine}")
    if settings.engine not in _ENGINES:
        hint = f"GRAPH_PLATFORM_ENGINE is one of: {', '.join(_ENGINES)}"
        yield Check("engine", _FAIL, f"there is no engine {settings.engine!r}", hint)


def _confinement(_: Settings) -> Iterator[Check]:
    here = kept()
    lacks = [name for name, there in (("Landlock", here.landlock), ("seccomp", here.seccomp)) if not there]
    if not lacks:
        told = f"the kernel keeps queries from files (Landlock {here.landlock}) and from the network (seccomp)"
        yield Check("confinement", _OK, told)
        return
    told = f"this kernel has no {' and no '.join(lacks)}: only the gate keeps queries from files and the network"
    hint = "instances want Linux 5.13 or later, with Landlock among its modules (lsm=)"
    yield Check("confinement", _WARN, told, hint)


def _home(settings: Settings) -> Iterator[Check]:
    hint = "set GRAPH_PLATFORM_HOME to a folder that you may write"
    try:
        private_folder(settings.home)
        with tempfile.NamedTemporaryFile(dir=settings.home) as probe:
            probe.write(b"x" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        yield Check("home", _FAIL, f"{settings.home}: {error.strerror or error}", hint)
        return
    yield Check("home", _OK, f"{settings.home} can be written")
    open_to_others = list(readable_by_others(settings.home))
    if open_to_others:
        named = ", ".join(str(path.relative_to(settings.home)) for path in open_to_others[:3])
        more = f" and {len(open_to_others) - 3:,} more" if len(open_to_others) > 3 else ""
        hint = f"chmod -R go= {shlex.quote(str(settings.home))}"
        yield Check("private", _WARN, f"other users of this machine can read {named}{more}", hint)
    else:
        yield Check("private", _OK, f"other users of this machine can read nothing in {settings.home}")
    free = shutil.disk_usage(settings.home).free
    status = _FAIL if free < _NO_DISK else _WARN if free < _LOW_DISK else _OK
    yield Check("disk", status, f"{free / 1e9:.1f} GB free", "free some space, or move GRAPH_PLATFORM_HOME")


def _postgres(settings: Settings) -> Iterator[Check]:
    if settings.catalog != "embedded:":
        return
    server = EmbeddedPostgres(settings.home)
    yield Check("postgres account", _OK, server.check_account())
    if server.socket_folder.parent != server.data.parent:
        yield Check("socket", _OK, f"the home's path is long: the server's socket is in {server.socket_folder}")
    was_running = server.status().running
    server.ensure()
    message = f"process {server.status().pid}" + ("" if was_running else " (was not running; started now)")
    yield Check("postgres", _OK, message)


def _catalog(settings: Settings) -> Iterator[Check]:
    catalog = Catalog.open(settings)
    try:
        installation = catalog.installation
        version = catalog.version()
        said = f"{redacted(settings, 'catalog')}, version {version.version}, installation {installation}"
        yield Check("catalog", _OK, said)
    finally:
        catalog.close()


def _dagster(settings: Settings) -> Iterator[Check]:
    yield Check("dagster", _OK, f"DAGSTER_HOME {prepare(settings)['DAGSTER_HOME']}")
    running = find_dev(settings)
    if running:
        yield Check("ui", _OK, f"http://127.0.0.1:{running.port} (process {running.pid})")
    elif free_port(3000):
        yield Check("ui", _OK, "not running; port 3000 is free")
    else:
        yield Check("ui", _WARN, "port 3000 is in use by another program", "graph-platform dev --port 3001")


def _warehouse(settings: Settings) -> Iterator[Check]:
    with Platform.open(settings) as platform:
        if settings.warehouse.lower().startswith("duckdb:") and not duckdb_path(settings).exists():
            hint = "graph-platform demo loads one, or set GRAPH_PLATFORM_WAREHOUSE"
            yield Check("warehouse", _WARN, f"{redacted(settings, 'warehouse')} does not exist yet", hint)
            return
        if platform.warehouse.export_warning:
            said, _, hint = platform.warehouse.export_warning.partition("; ")
            yield Check("exports", _WARN, said, hint)
        platform.warehouse.fetch("SELECT 1 AS one", 1, _ANSWER_SECONDS)  # a server is not asked before
    yield Check("warehouse", _OK, f"{redacted(settings, 'warehouse')} answers")


def _storage(settings: Settings) -> Iterator[Check]:
    with Platform.open(settings) as platform:
        claim_storage(platform.storage, platform.catalog.installation)
    yield Check("storage", _OK, f"{redacted(settings, 'storage')} is this installation's")


def _instances(settings: Settings) -> Iterator[Check]:
    with Platform.open(settings) as platform:
        known = {instance.id: instance.status for instance in platform.instances.list()}
        found = platform.runtime.servers.list()
    seen = {observed.instance for observed in found if observed.presence != Presence.ENDED}
    left = {observed.instance for observed in found} - seen
    lost = sorted(
        identifier
        for identifier, status in known.items()
        if (status == "running" and identifier not in seen) or (status == "failed" and identifier in left)
    )
    strays = sorted(seen - known.keys())
    if lost:
        hint = "launch them again, or end them with `graph-platform instance terminate`"
        yield Check("instances", _WARN, f"their servers are gone: {', '.join(lost)}", hint)
    if strays:
        hint = "`graph-platform down` ends them"
        yield Check("instances", _WARN, f"processes without an instance: {', '.join(strays)}", hint)
    if not lost and not strays:
        yield Check("instances", _OK, f"{len(seen)} running")


_LOOKS: dict[str, Callable[[Settings], Iterator[Check]]] = {
    "python": _python,
    "packages": _packages,
    "engine": _engines,
    "confinement": _confinement,
    "home": _home,
    "postgres": _postgres,
    "catalog": _catalog,
    "dagster": _dagster,
    "warehouse": _warehouse,
    "storage": _storage,
    "instances": _instances,
}
