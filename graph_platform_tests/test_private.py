"""Other users of the machine read nothing of a home: not what the platform makes, nor what a library makes in it."""

import os
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph_platform.private import keep_private, private_folder, readable_by_others
from graph_platform_tests.cli.conftest import CommandLine
from graph_platform_tests.cli.test_doctor import found
from graph_platform_tests.waiting import until


@pytest.fixture(autouse=True)
def _a_generous_umask() -> Iterator[None]:
    """As on a machine whose users share everything: what is private is so on purpose."""
    before = os.umask(0)
    yield
    os.umask(before)


def _open_to_others(folder: Path) -> list[str]:
    """Everything below and including a folder whose mode says anything for the group or others."""
    found = []
    for path in (folder, *folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_IMODE(mode) & 0o077 and not stat.S_ISLNK(mode):
            found.append(f"{stat.filemode(mode)} {path.relative_to(folder)}")
    return found


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_of_a_home_is_open_to_others_after_all_that_makes_files_in_it(tmp_path: Path) -> None:
    home = tmp_path / "above it" / "home"
    cli = CommandLine(tmp_path, {"GRAPH_PLATFORM_HOME": str(home)})
    port = _free_port()
    try:
        cli.json("demo")
        cli.json("mapping", "suggest")  # the schema cache
        assert cli.run("mapping", "delete", "flights").status == 1  # a run that fails
        defect = (
            "import sys; from graph_platform.cli import main; from graph_platform.cli.machine import environment\n"
            "environment.prepare = lambda _: 1 / 0\n"
            "main.main(['env'])"
        )
        subprocess.run([sys.executable, "-c", defect], env=cli.variables(), check=False, capture_output=True)
        assert (home / "logs" / "errors.log").exists()
        with subprocess.Popen(
            [sys.executable, "-m", "graph_platform", "dev", "--port", str(port)],
            env=cli.variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ):
            try:
                until(lambda: _answers(port), "the UI does not answer", seconds=180)
                there = {"GRAPH_PLATFORM_DAGSTER_URL": f"http://127.0.0.1:{port}"}
                cli.json("snapshot", "create", "flights", "--name", "another", **there)
                assert (home / "dagster" / "storage").exists(), "Dagster has captured what the run printed"
                assert _open_to_others(home.parent) == []
            finally:
                cli.json("down")
        assert _open_to_others(home.parent) == []
        assert found(cli)[1]["private"]["status"] == "ok"
    finally:
        cli.run("down")


def test_a_run_in_a_process_that_is_not_ours_leaves_nothing_that_others_can_reach(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "home")
    cli.home.mkdir(mode=0o755)  # its user made it, so that its mode is left alone
    tmp_path.chmod(0o755)
    try:
        cli.json("demo")
        variables = cli.json("env")
        for job in ("create_snapshot", "launch_instance"):
            command = ["-m", "dagster", "job", "execute", "-m", "graph_platform.definitions", "-j", job]
            ran = subprocess.run(
                [sys.executable, *command], env=cli.variables(**variables), check=False, capture_output=True, text=True
            )
            assert ran.returncode == 0, ran.stderr
        assert [entry for entry in cli.home.iterdir() if entry.stat().st_mode & 0o077] == []
        assert _open_to_others(cli.home / "storage") == []
        assert stat.S_IMODE(cli.home.stat().st_mode) == 0o755
    finally:
        cli.run("down")


def test_the_doctor_names_what_others_can_read_and_the_command_that_closes_it(open_folder: Path) -> None:
    cli = CommandLine(open_folder / "a home")
    cli.home.mkdir(mode=0o755)
    try:
        cli.json("up")
        (cli.home / "warehouse.duckdb").touch(0o644)
        seen = found(cli)[1]["private"]
        assert (seen["status"], "warehouse.duckdb" in seen["message"]) == ("warn", True)
        subprocess.run(["/bin/sh", "-c", seen["hint"]], check=True)
        assert found(cli)[1]["private"]["status"] == "ok"
    finally:
        cli.run("down")


def test_a_private_folder_is_closed_with_all_that_had_to_be_made_above_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    made = private_folder(tmp_path / "there" / "absent" / "absent too")
    assert made == private_folder(made)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (made, made.parent)] == [0o700, 0o700]
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755, "somebody may have meant it"
    (tmp_path / "file").touch()
    for impossible in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            private_folder(impossible)


def test_a_program_that_keeps_private_hands_that_on_to_what_it_starts(tmp_path: Path) -> None:
    keep_private()
    subprocess.run(["/bin/sh", "-c", "mkdir made; echo > made/file"], cwd=tmp_path, check=True)
    assert _open_to_others(tmp_path / "made") == []


def test_what_others_can_read_is_found_unless_a_folder_above_it_is_closed(open_folder: Path) -> None:
    seen, hidden, shared = open_folder / "seen", open_folder / "closed" / "hidden", open_folder / "shared"
    hidden.parent.mkdir(mode=0o700)
    shared.mkdir(mode=0o777)
    for file in (seen, hidden):
        file.touch(0o640)
    (open_folder / "private").touch(0o600)
    (open_folder / "link").symlink_to(seen)
    assert list(readable_by_others(open_folder)) == [seen, shared]
    assert list(readable_by_others(hidden.parent)) == []
    open_folder.chmod(0o700)
    assert list(readable_by_others(shared)) == []
