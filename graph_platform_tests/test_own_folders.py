"""Folders that are one user's alone, and every place where the platform makes one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from graph_platform.cli import failures, run_here
from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.orchestration.assets import remember_asset
from graph_platform.private import is_own, own_folder
from graph_platform.proving.schema_cache import SchemaCache
from graph_platform.runtime.local.servers import LocalServers
from graph_platform.runtime.local.tasks import LocalTasks
from graph_platform.settings import Settings
from graph_platform.storage.scratch import scratch_folder


def test_a_folder_is_made_with_what_is_above_it_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert not is_own(folder)
    assert own_folder(folder) == folder
    assert is_own(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    (folder / "kept").touch()
    assert own_folder(folder).stat().st_mode & 0o777 == 0o700
    assert (folder / "kept").exists()


def test_many_may_make_it_at_once(tmp_path: Path) -> None:
    made: list[Path] = []
    makers = [threading.Thread(target=lambda: made.append(own_folder(tmp_path / "x" / "y"))) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert made == [tmp_path / "x" / "y"] * 8


def _symlink(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.symlink_to("elsewhere")


def _of_another_user(path: Path) -> None:
    path.mkdir(mode=0o777)
    os.chown(path, 4321, 4321)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a symlink": (_symlink, "is a symlink"),
    "a symlink to nothing": (lambda path: path.symlink_to("nowhere"), "is a symlink"),
    "a symlink to itself": (lambda path: path.symlink_to(path.name), "is a symlink"),
    "a file": (lambda path: path.touch(), "is no folder"),
    "a pipe": (os.mkfifo, "is no folder"),
}
if os.geteuid() == 0:  # nobody else makes what another user has
    WRONG["another user's"] = (_of_another_user, "belongs to user 4321")


@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=WRONG)
def test_what_somebody_else_put_there_is_refused_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "folder"
    make(path)
    before = path.lstat()
    for ask in (own_folder, is_own):
        with pytest.raises(PlatformError, match=said) as refused:
            ask(path)
        assert refused.value.code == ErrorCode.PERMISSION_DENIED
        assert refused.value.hint is not None
        assert str(path) in refused.value.hint
    assert path.lstat().st_mode == before.st_mode
    assert not (tmp_path / "nowhere").exists()


def _scratch(settings: Settings) -> None:
    with scratch_folder(settings.home / "scratch" / "exports"):
        pass


PLACES: dict[str, tuple[str, Callable[[Settings], object]]] = {
    "instances": ("instances", lambda settings: LocalServers(settings.home, "x").stop("inst-1", 1, 0)),
    "tasks": ("tasks", lambda settings: LocalTasks(settings.home, "x").stop("task-1", 1)),
    "scratch": ("scratch", _scratch),
    "exports": ("scratch/exports", _scratch),
    "cache": ("cache", lambda settings: SchemaCache.of(settings).known()),
    "assets": ("dagster", lambda settings: remember_asset(settings, ["people", "nodes", "Person"])),
    "runs.log": ("logs", lambda settings: run_here._console_in_log(settings).__enter__()),
}


@pytest.mark.parametrize(("place", "write"), PLACES.values(), ids=PLACES)
def test_every_private_place_of_a_home_is_looked_at_before_it_is_used(
    tmp_path: Path, place: str, write: Callable[[Settings], object]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    home = tmp_path / "home"
    (home / place).parent.mkdir(parents=True)
    (home / place).symlink_to(theirs)
    settings = Settings.load({"GRAPH_PLATFORM_HOME": str(home)})
    with pytest.raises(PlatformError, match="is a symlink"):
        write(settings)
    assert list(theirs.iterdir()) == []


def test_a_defect_is_not_written_into_somebody_elses_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "logs").symlink_to(theirs)
    monkeypatch.setenv("GRAPH_PLATFORM_HOME", str(tmp_path))
    assert failures._log(ValueError("a defect"), ["x"]) is None
    assert "a defect" in capsys.readouterr().err
    assert list(theirs.iterdir()) == []
