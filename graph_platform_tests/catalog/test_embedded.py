"""The embedded Postgres server, tried on real folders: found, started once, stopped alone, and mended or explained."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import psycopg2
import pytest
import sqlalchemy

from graph_platform.catalog import embedded
from graph_platform.catalog.embedded import DAGSTER_DATABASE, EmbeddedPostgres
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.processes.lock import file_lock
from graph_platform_tests.simulated_clock import SimulatedClock
from graph_platform_tests.waiting import until

ROOT = os.geteuid() == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(tmp_path / "a home with ü")
    yield postgres
    postgres.stop()


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def test_a_new_home_gets_a_server_that_sqlalchemy_psycopg_and_psycopg2_reach(server: EmbeddedPostgres) -> None:
    engine = sqlalchemy.create_engine(server.ensure())
    with engine.connect() as connection:
        row = connection.execute(sqlalchemy.text("SELECT current_database(), current_user, version()")).one()
    engine.dispose()
    assert row[:2] == ("graph_platform", "graph_platform")
    assert row[2].startswith(f"PostgreSQL {embedded.MAJOR_VERSION}.")
    connection2 = psycopg2.connect(server.url(DAGSTER_DATABASE, "postgresql"))
    assert connection2.info.dbname == "graph_platform_dagster"
    connection2.close()


def test_no_network_port_is_opened_and_only_the_owner_gets_to_the_files(server: EmbeddedPostgres) -> None:
    with psycopg.connect(_libpq(server.ensure())) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    for folder in (server.data, server.data.parent, server.socket_folder):
        assert folder.stat().st_mode & 0o077 == 0
    assert (server.socket_folder / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0
    assert server.log.stat().st_mode & 0o077 == 0


def test_processes_that_ask_at_the_same_time_get_one_server(server: EmbeddedPostgres) -> None:
    home = server.data.parent.parent
    program = (
        "import sys; from pathlib import Path; from graph_platform.catalog.embedded import EmbeddedPostgres as E;"
        "e = E(Path(sys.argv[1])); e.ensure(); print(e.status().pid)"
    )

    def ask(_: int) -> str:
        finished = subprocess.run(
            [sys.executable, "-c", program, os.fspath(home)], check=True, capture_output=True, text=True
        )
        return finished.stdout

    with ThreadPoolExecutor(6) as pool:
        answers = set(pool.map(ask, range(6)))
    assert answers == {f"{server.status().pid}\n"}


def test_data_outlives_a_stop_and_stopping_twice_is_harmless(server: EmbeddedPostgres) -> None:
    with psycopg.connect(_libpq(server.ensure()), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.stop()
    assert not server.status().running
    assert not server.stop()
    with psycopg.connect(_libpq(server.ensure())) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_server_that_was_killed_is_started_again_with_its_data(server: EmbeddedPostgres) -> None:
    with psycopg.connect(_libpq(server.ensure()), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with psycopg.connect(_libpq(server.ensure())) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert server.status().pid != pid


def test_a_pid_that_another_process_got_after_a_crash_is_neither_trusted_nor_ended(server: EmbeddedPostgres) -> None:
    server.ensure()
    pid = server.status().pid
    assert pid is not None
    pidfile = server.data / "postmaster.pid"
    lines = pidfile.read_text().splitlines()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not embedded._works_in(pid, server.data), "the killed server still works")
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            pidfile.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
            assert not server.stop()
            server.ensure()
            assert server.stop()
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_stopping_one_home_leaves_another_homes_server_alone(server: EmbeddedPostgres, tmp_path: Path) -> None:
    other = EmbeddedPostgres(tmp_path / "other")
    try:
        server.ensure()
        other.ensure()
        server.stop()
        assert other.status().running
    finally:
        other.stop()


def test_a_home_too_deep_for_a_unix_socket_works_all_the_same(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("deep" * 30))
    try:
        with psycopg.connect(_libpq(server.ensure())):
            assert server.socket_folder.parent == Path("/tmp")
            assert server.socket_folder.stat().st_mode & 0o077 == 0
    finally:
        server.stop()
        shutil.rmtree(server.socket_folder, ignore_errors=True)


def test_a_folder_that_another_user_put_in_the_way_of_the_short_socket_is_refused(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("deep" * 30))
    server.socket_folder.symlink_to(tmp_path)
    try:
        with pytest.raises(PlatformError, match="is not a folder of this user"):
            server.ensure()
    finally:
        server.socket_folder.unlink()


def test_a_killed_server_that_is_not_gone_yet_is_waited_for(server: EmbeddedPostgres) -> None:
    server.ensure()
    pid = server.status().pid
    assert pid is not None
    pidfile = server.data / "postmaster.pid"
    lines = pidfile.read_text().splitlines()
    os.kill(pid, signal.SIGKILL)
    until(lambda: not embedded._works_in(pid, server.data), "the killed server still works")
    ending = ["sleep", "1.5"]
    with subprocess.Popen(ending, cwd=server.data, user=server.data.stat().st_uid) as process:
        pidfile.write_text("\n".join([str(process.pid), *lines[1:]]) + "\n")
        server.ensure()
        assert process.poll() == 0 or process.wait(1) == 0
    assert server.status().running


def test_a_server_that_was_stopped_by_a_signal_is_named_and_can_be_ended(server: EmbeddedPostgres) -> None:
    server.ensure()
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(PlatformError) as stopped:
        server.ensure()
    assert stopped.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert f"process {pid}" in stopped.value.message
    assert f"kill -CONT {pid}" in str(stopped.value.hint)
    assert server.stop()


def test_an_initialisation_that_was_killed_leaves_nothing_that_looks_finished(server: EmbeddedPostgres) -> None:
    program = (
        "import sys; from pathlib import Path; from graph_platform.catalog.embedded import EmbeddedPostgres as E;"
        "E(Path(sys.argv[1])).ensure()"
    )
    home = server.data.parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", program, os.fspath(home)], start_new_session=True, stderr=subprocess.DEVNULL
    ) as half:
        begun = server.data.parent
        until(lambda: list(begun.glob("initialising-*/data/base/*")), "no initialisation begins", pause=0.001)
        os.killpg(half.pid, signal.SIGKILL)
    assert not server.data.exists()
    server.ensure()
    assert list(server.data.parent.glob("initialising-*")) == []


def test_data_of_another_major_version_is_explained(server: EmbeddedPostgres) -> None:
    server.ensure()
    server.stop()
    (server.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(PlatformError, match="written by Postgres 15") as caught:
        server.ensure()
    assert caught.value.code == ErrorCode.BACKEND_UNREACHABLE
    assert caught.value.hint
    assert "pg_dump" in caught.value.hint


def test_a_home_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match="cannot be used") as caught:
        EmbeddedPostgres(tmp_path / "file").ensure()
    assert caught.value.exit_status == 3
    assert "GRAPH_PLATFORM_HOME" in str(caught.value.hint)


def test_a_failed_start_says_what_the_server_said(server: EmbeddedPostgres) -> None:
    server.ensure()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_buffers = nonsense\n")
    with pytest.raises(PlatformError, match="shared_buffers") as caught:
        server.ensure()
    assert caught.value.code == ErrorCode.BACKEND_UNREACHABLE


def test_a_full_disk_is_named_and_leaves_no_data_folder(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", os.fspath(small)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system takes root")
    try:
        server = EmbeddedPostgres(small)
        with pytest.raises(PlatformError) as caught:
            server.ensure()
        assert caught.value.code == ErrorCode.BACKEND_UNREACHABLE
        assert "disk space" in str(caught.value.hint)
        assert not server.data.exists()
        assert list(server.data.parent.glob("initialising-*")) == []
    finally:
        subprocess.run(["umount", os.fspath(small)], check=True)


@pytest.mark.skipif(not ROOT, reason="only root needs setpriv")
def test_root_without_setpriv_is_told_to_be_somebody_else(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PlatformError, match="refuses to run as root") as caught:
        server.ensure()
    assert "ordinary user" in str(caught.value.hint)


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_an_ordinary_user_runs_it_too_and_root_can_end_it() -> None:
    account = next((entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000), None)
    if account is None:
        pytest.skip("this machine has no ordinary user")
    folder = Path(f"/tmp/graph-platform-test-{os.getpid()}")
    folder.mkdir()
    os.chown(folder, account.pw_uid, account.pw_gid)
    home = folder / "their home"
    program = (
        "import sys; from pathlib import Path; from graph_platform.catalog.embedded import EmbeddedPostgres as E;"
        "print(E(Path(sys.argv[1])).ensure())"
    )
    become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    server = EmbeddedPostgres(home)
    try:
        finished = subprocess.run(
            [*become, sys.executable, "-c", program, os.fspath(home)],
            env={"HOME": os.fspath(folder), "PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(Path.cwd())},
            capture_output=True,
            text=True,
            check=False,
        )
        if "Permission denied" in finished.stderr and "setpriv" in finished.stderr:
            pytest.skip("the Python of this environment is in a folder that only root can enter")
        assert finished.stdout == server.url() + "\n", finished.stderr
        assert server.data.stat().st_uid == account.pw_uid
        assert server.stop()
        server.ensure()  # as root, on data that is somebody else's: as that owner
        assert server.data.stat().st_uid == account.pw_uid
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_who_waits_for_another_process_at_postgres_is_told_so_and_not_for_ever(tmp_path: Path) -> None:
    clock, words = SimulatedClock(), list[str]()
    server = EmbeddedPostgres(tmp_path, clock, words.append)
    (tmp_path / "postgres").mkdir(0o700)
    held = file_lock(tmp_path / "postgres" / "lock", "holding", 1, words.append)
    with held, pytest.raises(PlatformError, match=f"process {os.getpid()} has been starting or stopping") as late:
        server.ensure()
    assert late.value.code is ErrorCode.BACKEND_UNREACHABLE
    assert words == [f"waiting for process {os.getpid()}, which is starting or stopping Postgres"]
    assert 120 < clock.now < 121
