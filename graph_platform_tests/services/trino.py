"""A real Trino server for tests: fetched from Maven Central into a cache, started on free ports, ended by its own pid.

It has the catalogs `tpch` (generated data), `hive` (local files) and `hive_s3` (tables in buckets of an S3 server). It
takes anybody without a password over HTTP, and passwords, JSON web tokens and certificates over HTTPS.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from graph_platform_tests.services.buckets import SECRET
from graph_platform_tests.services.cache import cache, kept
from graph_platform_tests.services.missing import missing
from graph_platform_tests.services.proxy import Proxy

VERSION = "476"
_JAVA_NEEDED = 24
_START_SECONDS = 180.0
# Maven coordinates, and where the unpacked folder goes inside the server's own.
_ARTIFACTS = (
    (f"io.trino:trino-server-core:{VERSION}:tar.gz", f"trino-server-core-{VERSION}.tar.gz", ""),
    (f"io.trino:trino-hive:{VERSION}:zip", f"trino-hive-{VERSION}.zip", "plugin/hive"),
    (f"io.trino:trino-tpch:{VERSION}:zip", f"trino-tpch-{VERSION}.zip", "plugin/tpch"),
)
PASSWORD = "a pass:word@with/everything"
STRANGER = "stranger"
"""A user who may read neither what is called `secret` in `hive.guarded` nor the catalog `tpch`; others may do all."""
_ALL = ["SELECT", "INSERT", "UPDATE", "DELETE", "OWNERSHIP", "GRANT_SELECT"]
_RULES = {
    "catalogs": [{"user": STRANGER, "catalog": "tpch", "allow": "none"}, {"allow": "all"}],
    "schemas": [{"owner": True}],
    "tables": [
        {"user": STRANGER, "catalog": "hive", "schema": "guarded", "table": "secret", "privileges": []},
        {
            "user": STRANGER,
            "catalog": "hive",
            "schema": "guarded",
            "table": "roles",
            "privileges": ["SELECT"],
            "columns": [{"name": "secret", "allow": False}],
        },
        {"privileges": _ALL},
    ],
}


def java() -> Path | None:
    """A Java runtime of at least version 24: JAVA_HOME, then those of the system, then the PATH."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    homes += sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)
    found = [home / "bin" / "java" for home in homes]
    on_path = shutil.which("java")
    return next((p for p in (*found, *([Path(on_path)] if on_path else [])) if _java_version(p) >= _JAVA_NEEDED), None)


def _java_version(program: Path) -> int:
    if not program.is_file():
        return 0
    shown = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', shown)
    return int(match[1]) if match else 0


def distribution() -> Path:
    """The unpacked server with its plugins, fetched on first use."""
    return kept(f"trino-{VERSION}", _unpacked)


def fetched(coordinate: str, file_name: str) -> Path:
    """One file from Maven Central, kept in the cache."""
    if not (cache() / file_name).is_file():
        with tempfile.TemporaryDirectory(dir=cache(), prefix=".fetched-") as scratch:
            _copied(coordinate, file_name, Path(scratch)).rename(cache() / file_name)
    return cache() / file_name


def _copied(coordinate: str, file_name: str, folder: Path) -> Path:
    if shutil.which("mvn") is None:
        missing(f"Maven, which fetches {coordinate}", "apt-get install maven")
    command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={coordinate}", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode or not (folder / file_name).is_file():
        missing(f"{coordinate} ({done.stdout.strip()[-300:]})", " ".join(command))
    return folder / file_name


def _unpacked(scratch: Path) -> Path:
    server = scratch / f"trino-server-core-{VERSION}"
    for coordinate, file_name, place in _ARTIFACTS:
        archive = _copied(coordinate, file_name, scratch)
        if not place:
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="tar")
        else:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(scratch)  # noqa: S202 - what Maven has checked
            (scratch / archive.stem).rename(server / place)
        archive.unlink()
    return server


@dataclass(frozen=True)
class Credentials:
    """What proves a client to the server over HTTPS: files in PEM format, and the key that signs tokens."""

    authority: Path
    certificate: Path
    key: Path
    signing_key: bytes

    def token(self, user: str, *, lifetime_seconds: float = 3600.0) -> str:
        """A signed JSON web token for a user."""
        claims = {"sub": user, "exp": int(time.time() + lifetime_seconds)}
        parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signed = hmac.new(self.signing_key, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _base64url(signed)])


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class TrinoServer:
    """One coordinator that is its own worker, under a folder that holds its configuration, its log and its data.

    Args:
        folder: an empty folder; `data` inside it is what the server sees as `local:///`.
        s3: in front of the S3 server that `hive_s3` writes to; a test may slow it down.
        heap: the JVM's largest heap.
    """

    def __init__(self, folder: Path, s3: Proxy, *, heap: str = "2G") -> None:
        self.folder = folder
        self.s3 = s3
        self.data = folder / "data"
        self.port = _free_port()
        self.secure_port = _free_port()
        self._heap = heap
        self._process: subprocess.Popen[bytes] | None = None
        self.credentials = _credentials(folder)
        self._configure()

    @property
    def url(self) -> str:
        """The warehouse URL of the server's tpch catalog, without a password."""
        return f"trino://tester@127.0.0.1:{self.port}/tpch/tiny"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start the server and wait until it takes queries.

        Raises:
            RuntimeError: it ended, or took too long; the message has the end of its log.
        """
        program = java()
        if program is None:
            missing(f"Java {_JAVA_NEEDED} or later", "apt-get install temurin-25-jdk, or set JAVA_HOME")
        home = distribution()
        command = [
            *(str(program), f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"),
            *("-XX:ReservedCodeCacheSize=256M", "-Djdk.attach.allowAttachSelf=true", "-Dfile.encoding=UTF-8"),
            *("-XX:+EnableDynamicAgentLoading", "-XX:TieredStopAtLevel=4", "--enable-native-access=ALL-UNNAMED"),
            *("--add-modules=jdk.incubator.vector", f"-Dconfig={self.folder / 'etc/config.properties'}"),
            f"-Dlog.levels-file={self.folder / 'etc/log.properties'}",
            f"-Dnode.data-dir={self.folder / 'node'}",
            *("-cp", f"{home / 'lib'}/*", "io.trino.server.TrinoServer"),
        ]
        # Where the system has it, the kernel ends the server should this process be killed.
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < deadline:
                if self._process is None or self._process.poll() is not None:
                    raise RuntimeError(f"Trino ended while it started:\n{self._tail()}")
                with contextlib.suppress(httpx.HTTPError, ValueError, RuntimeError):
                    if client.get(f"http://127.0.0.1:{self.port}/v1/info").json().get("starting") is False:
                        # It says so a moment before it knows of a worker, which is itself.
                        self.run("SELECT count(*) FROM tpch.tiny.region")
                        return
                time.sleep(0.2)
        self.kill()
        raise RuntimeError(f"Trino did not start within {_START_SECONDS:g} s:\n{self._tail()}")

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Crash and come back on the same ports: tables and files are kept, queries are forgotten."""
        self.kill()
        self.start()

    def run(self, sql: str) -> list[list[Any]]:
        """All rows of a statement, over the plain protocol.

        Raises:
            RuntimeError: Trino refused it.
        """
        rows: list[list[Any]] = []
        headers = {"X-Trino-User": "tester"}
        with httpx.Client(trust_env=False, headers=headers, timeout=60) as client:
            answer = client.post(f"http://127.0.0.1:{self.port}/v1/statement", content=sql.encode()).json()
            while True:
                rows += answer.get("data") or []
                if "error" in answer:
                    raise RuntimeError(answer["error"]["message"])
                if "nextUri" not in answer:
                    return rows
                answer = client.get(answer["nextUri"]).json()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def _configure(self) -> None:
        etc = self.folder / "etc"
        (etc / "catalog").mkdir(parents=True)
        # A schema whose folder does not exist cannot be written to.
        for metastore in ("meta", "meta_s3"):
            (self.data / metastore).mkdir(parents=True)
        for name, lines in _configuration(self, distribution(), secrets.token_hex(16)).items():
            (etc / name).write_text("\n".join(lines) + "\n")


def _configuration(server: TrinoServer, home: Path, shared_secret: str) -> dict[str, list[str]]:
    etc = server.folder / "etc"
    keys = server.credentials
    return {
        "config.properties": [
            "node.environment=test",
            "node.internal-address=127.0.0.1",
            "coordinator=true",
            "node-scheduler.include-coordinator=true",
            f"http-server.http.port={server.port}",
            f"discovery.uri=http://127.0.0.1:{server.port}",
            f"plugin.dir={home / 'plugin'}",
            f"catalog.config-dir={etc / 'catalog'}",
            "query.max-memory-per-node=700MB",
            "http-server.https.enabled=true",
            f"http-server.https.port={server.secure_port}",
            f"http-server.https.keystore.path={server.folder / 'keys/server.pem'}",
            f"http-server.https.truststore.path={keys.authority}",
            "http-server.authentication.type=CERTIFICATE,JWT,PASSWORD",
            "http-server.authentication.certificate.user-mapping.pattern=CN=(.*)",
            "http-server.authentication.allow-insecure-over-http=true",
            f"http-server.authentication.jwt.key-file={server.folder / 'keys/signing'}",
            f"internal-communication.shared-secret={shared_secret}",
            f"password-authenticator.config-files={etc / 'password-authenticator.properties'}",
            f"access-control.config-files={etc / 'access-control.properties'}",
        ],
        "log.properties": ["io.trino=WARN", "io.airlift=WARN"],
        "password-authenticator.properties": [
            "password-authenticator.name=file",
            f"file.password-file={etc / 'password.db'}",
        ],
        "password.db": [f"tester:{_hashed(PASSWORD)}"],
        "access-control.properties": ["access-control.name=file", f"security.config-file={etc / 'rules.json'}"],
        "rules.json": [json.dumps(_RULES)],
        "catalog/tpch.properties": ["connector.name=tpch"],
        "catalog/hive.properties": _hive(server, "meta"),
        "catalog/hive_s3.properties": [
            *_hive(server, "meta_s3"),
            "fs.native-s3.enabled=true",
            f"s3.endpoint=http://127.0.0.1:{server.s3.port}",
            "s3.region=us-east-1",
            "s3.path-style-access=true",
            "s3.aws-access-key=tester",
            f"s3.aws-secret-key={SECRET}",
            # Small ones, so that an export soon has something in its bucket.
            "s3.streaming.part-size=5MB",
            "parquet.writer.block-size=4MB",
        ],
    }


def _hive(server: TrinoServer, metastore: str) -> list[str]:
    return [
        "connector.name=hive",
        "hive.metastore=file",
        f"hive.metastore.catalog.dir=local:///{metastore}",
        "fs.native-local.enabled=true",
        f"local.location={server.data}",
        "hive.non-managed-table-writes-enabled=true",
    ]


def _hashed(password: str) -> str:
    """As Trino's file of passwords has it: iterations, salt and PBKDF2 hash."""
    salt = secrets.token_bytes(16)
    return f"1000:{salt.hex()}:{hashlib.pbkdf2_hmac('sha1', password.encode(), salt, 1000, 32).hex()}"


def _credentials(folder: Path) -> Credentials:
    if shutil.which("openssl") is None:
        missing("openssl, which makes the certificates", "apt-get install openssl")
    keys = folder / "keys"
    keys.mkdir(parents=True)
    signing = secrets.token_bytes(48)
    (keys / "signing").write_bytes(base64.b64encode(signing))
    _openssl(keys, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
    for name, subject, alternative in (("server", "localhost", "IP:127.0.0.1,DNS:localhost"), ("client", "tester", "")):
        extension = keys / f"{name}.ext"
        extension.write_text(f"subjectAltName={alternative}\n" if alternative else "extendedKeyUsage=clientAuth\n")
        request = ("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        _openssl(keys, *request, subject=subject)
        _openssl(
            *(keys, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.crt", "-days", "2", "-extfile", extension.name),
            subject=None,
        )
    (keys / "server.pem").write_text((keys / "server.key").read_text() + (keys / "server.crt").read_text())
    return Credentials(keys / "ca.pem", keys / "client.crt", keys / "client.key", signing)


def _openssl(folder: Path, *arguments: str, subject: str | None = "graph platform tests") -> None:
    named = ["-subj", f"/CN={subject}"] if subject else []
    subprocess.run(["openssl", *arguments, *named], cwd=folder, check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def trino_server(tmp_path_factory: pytest.TempPathFactory, s3_endpoint: str) -> Iterator[TrinoServer]:
    """The session's Trino. A test that kills it starts it again.

    The S3 server is there before it, since a catalog cannot be told of a new port; it costs a second.
    """
    port = urlsplit(s3_endpoint).port
    assert port
    with Proxy(port) as s3:
        server = TrinoServer(tmp_path_factory.mktemp("trino"), s3)
        server.start()
        yield server
        server.stop()
