"""Folders for files on their way into a bucket: whoever is killed leaves his, whoever lives keeps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from graph_platform.storage.scratch import scratch_folder

_HOLDS_ONE = """
import pathlib, sys
from graph_platform.storage.scratch import scratch_folder
with scratch_folder(pathlib.Path(sys.argv[1])) as folder:
    (folder / "below").mkdir()
    (folder / "below" / "file").touch()
    print("made", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_gone_at_its_end_also_after_a_failure(tmp_path: Path) -> None:
    root = tmp_path / "not there yet" / "scratch"
    with pytest.raises(RuntimeError), scratch_folder(root) as folder:
        (folder / "file").touch()
        raise RuntimeError
    assert list(root.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDS_ONE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        (theirs,) = tmp_path.iterdir()
        with scratch_folder(tmp_path) as mine, scratch_folder(tmp_path) as another:
            assert set(tmp_path.iterdir()) == {theirs, mine, another}
        process.kill()
    assert list(tmp_path.iterdir()) == [theirs]
    with scratch_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]
