"""The node's programs: built once from the Go modules that `programs/go.mod` pins, and those of Debian."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from graph_platform_tests.services.cache import kept
from graph_platform_tests.services.missing import missing

VERSION = "v1.34.4"
_SOURCE = Path(__file__).with_name("programs")
_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in (("gitVersion", VERSION), ("gitMajor", "1"), ("gitMinor", "34"))
)

DEBIAN: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "nsenter": "util-linux",
    "ip": "iproute2",
}
"""A program, and Debian's package of it."""


def programs() -> Path:
    """The folder of the programs, built on first use."""
    debian_programs()
    return kept(f"kubernetes-{_sources()}", _built)


def _built(scratch: Path) -> Path:
    if shutil.which("go") is None:
        missing("Go, which builds Kubernetes", "apt-get install golang")
    built = scratch / "built"
    command = ["go", "build", "-trimpath", "-ldflags", f"-s -w {_FLAGS}", "-o", f"{built}/", "tool", "./pause"]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    done = subprocess.run(command, cwd=_SOURCE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"Kubernetes {VERSION} ({done.stderr.strip()[-500:]})", f"cd {_SOURCE} && {' '.join(command)}")
    (built / "server").rename(built / "etcd")
    return built


def _sources() -> str:
    """A hash of all that the programs are made of."""
    files = sorted(path for path in _SOURCE.rglob("*") if path.is_file())
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]


def debian_programs() -> None:
    """Skips the test, or fails it in CI, where one of Debian's programs is not there."""
    absent = {package for program, package in DEBIAN.items() if shutil.which(program) is None}
    if absent:
        missing(f"the node's {', '.join(sorted(absent))}", f"apt-get install {' '.join(sorted(absent))}")
