"""The README's two commands in a fresh clone of the last commit, whoever somebody is and wherever the clone lies.

Of `make test`, some quick tests only, with every kind of part in them that is installed or started. All of them run
where CI does, as its user.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.fresh_clone

ROOT = os.geteuid() == 0
HERE = Path(__file__).parents[1]
SOME_TESTS = " ".join(
    f"graph_platform_tests/{name}"
    for name in ("catalog/test_transitions.py", "engine/results/test_texts.py", "demo/test_data.py")
)


@dataclass(frozen=True)
class Somebody:
    """A user with an empty home, and the clone in it. `identity` is what `subprocess` takes to become that user."""

    home: Path
    python: str
    identity: Mapping[str, object] = field(default_factory=dict)

    @property
    def clone(self) -> Path:
        """Its folder has a space in its name, which make cannot quote."""
        return self.home / "graph platform"

    def run(self, *command: str) -> str:
        """Run a command in the clone as a login shell of this user would; it must succeed."""
        # Where packages come from is the machine's to say; nothing else of the tester's own is handed on.
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PIP_", "UV_", "SSL_")) or "proxy" in name
        }
        finished = subprocess.run(
            command,
            cwd=self.clone,
            env={
                **kept,
                "HOME": str(self.home),
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "PYTHON": self.python,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self.identity,  # type: ignore[call-overload]
        )
        assert finished.returncode == 0, finished.stdout
        return str(finished.stdout)


def _follow_the_readme(somebody: Somebody) -> None:
    try:
        shown = somebody.run("make", "demo")
        assert "Where do New Yorkers fly to" in shown
        assert "Done in" in shown
        assert " passed" in somebody.run("make", "test", f"TESTS={SOME_TESTS}")
        assert {path.name for path in somebody.home.iterdir()} >= {".graph-platform", somebody.clone.name}
    finally:
        somebody.run(".venv/bin/graph-platform", "down")


def _clone(into: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", str(HERE), str(into)], check=True)


@pytest.mark.skipif(not ROOT, reason="only root can")
def test_root_in_a_home_that_only_root_may_enter(open_folder: Path) -> None:
    home = open_folder / "home of root"
    home.mkdir(mode=0o700)
    root = Somebody(home, sys._base_executable)  # type: ignore[attr-defined]  # this Python's, not the .venv's
    _clone(root.clone)
    _follow_the_readme(root)


def test_an_ordinary_user_with_an_empty_home(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    identity: dict[str, object] = {}
    if ROOT:
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
    user = Somebody(home, _python_of(identity), identity)
    _clone(user.clone)
    for path in (home, *home.rglob("*")):
        if ROOT:
            shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
    _follow_the_readme(user)


def _python_of(identity: Mapping[str, object]) -> str:
    """A Python from 3.11 that this user can run: the one of these tests may be in root's own folder."""
    tried = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    for python in (sys._base_executable, "/usr/local/bin/python3", "/usr/bin/python3"):  # type: ignore[attr-defined]
        try:
            ran = subprocess.run([python, "-c", tried], cwd="/", check=False, **identity)  # type: ignore[call-overload]
        except OSError:
            continue
        if ran.returncode == 0:
            return str(python)
    raise AssertionError("no Python that everybody can run; on Debian: apt-get install python3 python3-venv")
