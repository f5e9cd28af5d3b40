"""The images of `deploy/Dockerfile` for the node, built with buildah, as archives that it can import."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graph_platform_tests.services.cache import cache
from graph_platform_tests.services.kubernetes.programs import debian_programs
from graph_platform_tests.services.missing import missing

DEBIAN = "bookworm"
SERVER = "localhost/graph-platform-server:tests"
TESTS = "localhost/graph-platform-tests:tests"
"""The server's image with the programs of the conformance suite's tasks."""
PLATFORM = "localhost/graph-platform:tests"

_HERE = Path(__file__).parent
ROOT = _HERE.parents[2]
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def tests_archive() -> Path:
    """An archive of the image `TESTS`, built again only when something in it has changed."""
    own = (_HERE / "tests.Dockerfile", ROOT / "graph_platform_tests/runtime/programs.py")

    def build() -> None:
        _target("server", SERVER)
        _build(str(_HERE / "tests.Dockerfile"), TESTS)

    return _archive(TESTS, (ROOT / "deploy/server.lock", *own), build)


def platform_archive() -> Path:
    """An archive of the image `PLATFORM`, built again only when something in it has changed."""
    locks = (ROOT / "deploy/server.lock", ROOT / "deploy/platform.lock")
    return _archive(PLATFORM, locks, lambda: _target("platform", PLATFORM))


def _archive(image: str, sources: tuple[Path, ...], build: Callable[[], None]) -> Path:
    debian_programs()
    kind = image.partition("/")[2].partition(":")[0]
    with _alone():
        archive = cache() / f"image-{kind}-{_contents(sources)}.tar"
        if not archive.is_file():
            for old in cache().glob(f"image-{kind}-????????????.tar"):
                old.unlink()
            _base()
            build()
            part = archive.with_suffix(".part")
            part.unlink(missing_ok=True)
            _buildah("push", image, f"docker-archive:{part}:{image}")
            part.rename(archive)
        return archive


def scratch_image(name: str, program: Path) -> bytes:
    """A Docker archive of an image that has one program and nothing else."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo(program.name)
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as content:
            tar.addfile(entry, content)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65532"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    parts = {
        "layer.tar": layer.getvalue(),
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for part, data in parts.items():
            entry = tarfile.TarInfo(part)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


@contextmanager
def _alone() -> Iterator[None]:
    """While other sessions of this machine build nothing."""
    with (cache() / "images.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _contents(sources: tuple[Path, ...]) -> str:
    """A hash of all that an image is made of: the Dockerfile, the program, and what only this one has."""
    found = hashlib.sha256()
    files = [ROOT / "deploy/Dockerfile", *sources, *(ROOT / "graph_platform").rglob("*")]
    for path in sorted(path for path in files if path.is_file() and "__pycache__" not in path.parts):
        found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def _base() -> None:
    """Debian as debootstrap unpacks it, where no registry can be reached."""
    if "localhost/debian" in _buildah("images", "--format", "{{.Name}}"):
        return
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".debian-") as scratch:
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", DEBIAN, f"{scratch}/rootfs"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"Debian {DEBIAN} ({done.stdout.strip()[-300:]})", " ".join(command))
        tar = ["tar", "-C", f"{scratch}/rootfs", "--exclude=./var/cache/apt/archives/*.deb", "-cf"]
        subprocess.run([*tar, f"{scratch}/rootfs.tar", "."], check=True)
        _build(str(_HERE / "debian.Dockerfile"), "localhost/debian:12", context=Path(scratch))


def _target(target: str, name: str) -> None:
    _build("deploy/Dockerfile", name, "--target", target, "--build-arg", "BASE=localhost/debian:12")


def _build(file: str, name: str, *arguments: str, context: Path = ROOT) -> None:
    # What this machine trusts, a step that fetches packages trusts too.
    certificates = f"{_CERTIFICATES}:{_CERTIFICATES}:ro"
    ignored = ("--ignorefile", str(ROOT / "deploy/Dockerfile.dockerignore"))
    _buildah("bud", "--layers", "--volume", certificates, *ignored, *arguments, "-f", file, "-t", name, str(context))


def _buildah(*arguments: str) -> str:
    store = ("--root", str(cache() / "buildah"), "--runroot", str(cache() / "buildah-run"))
    command = ["buildah", *store, "--storage-driver", "overlay", *arguments]
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"an image ({done.stderr.strip()[-1000:]})", " ".join(command))
    return done.stdout
