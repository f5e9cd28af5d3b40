"""From a mapping to an answered query and back to nothing, each step a Dagster run, with pods of a real node."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from graph_platform.catalog.embedded import EmbeddedPostgres
from graph_platform_tests.cli.conftest import CommandLine
from graph_platform_tests.services.kubernetes.fixtures import STORAGE_SECRET, Namespace, SessionCluster
from graph_platform_tests.services.kubernetes.images import ROOT, TESTS
from graph_platform_tests.services.proxy import Proxy
from graph_platform_tests.waiting import until


@pytest.fixture(scope="module")
def namespace(cluster: SessionCluster) -> Iterator[Namespace]:
    """One namespace for all of them: a snapshot takes a while to be made."""
    made = cluster.namespace()
    yield made
    cluster.node.kubectl("delete", "namespace", made.name, "--wait=false")


@pytest.fixture(scope="module")
def in_the_cluster(
    cli: CommandLine,
    people: Path,
    cluster: SessionCluster,
    namespace: Namespace,
    tmp_path_factory: pytest.TempPathFactory,
) -> CommandLine:
    """The command line of somebody outside of the cluster, with the rights of the platform's service account, and a
    snapshot that a pod has built.
    """
    folder = tmp_path_factory.mktemp("outside")
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(namespace.kubeconfig)
    line = replace(
        cli,
        environment={
            **cli.environment,
            **cluster.environment,
            "AWS_CONFIG_FILE": str(folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
            "NO_PROXY": "*",
            "KUBECONFIG": str(kubeconfig),
            "GRAPH_PLATFORM_RUNTIME": f"kubernetes://{namespace.name}",
            "GRAPH_PLATFORM_STORAGE": namespace.storage_url,
            "GRAPH_PLATFORM_KUBERNETES_IMAGE": TESTS,
            "GRAPH_PLATFORM_KUBERNETES_STORAGE_SECRET": STORAGE_SECRET,
            "GRAPH_PLATFORM_KUBERNETES_TASK_MEMORY_BYTES": str(1024**3),
            "GRAPH_PLATFORM_ENGINE_MEMORY_BYTES": str(128 * 1024**2),
            "GRAPH_PLATFORM_ENGINE_ALLOWANCE_BYTES": str(256 * 1024**2),
        },
    )
    line.json("mapping", "create", people)
    assert line.json("snapshot", "create", "people")["status"] == "ready"
    assert namespace.objects("pods") == []  # the one that built the database is gone
    return line


def test_a_snapshot_becomes_an_instance_in_the_cluster_that_answers_and_leaves_nothing(
    in_the_cluster: CommandLine, namespace: Namespace
) -> None:
    cli = in_the_cluster
    lost = cli.json("instance", "launch", "people", "--name", "mine")["id"]
    namespace.kubectl("delete", "pod", f"server-{lost}", "--grace-period=1")
    shown = cli.json("instance", "show", "mine")
    assert (shown["status"], shown["error"]["code"]) == ("failed", "UNEXPECTED_TERMINATION")
    assert "somebody deleted it" in shown["error"]["message"]

    instance = cli.json("instance", "launch", "people", "--name", "mine")
    assert (instance["status"], instance["id"] == lost) == ("running", False)
    counted = "MATCH (p:Person) RETURN count(*) AS people"
    assert cli.json("instance", "query", "mine", counted)["rows"] == [[3]]
    shown = cli.json("instance", "show", "mine")
    assert (shown["observed"]["presence"], shown["runtime"]) == ("ready", f"kubernetes://{namespace.name}")
    (pod,) = namespace.objects("pods")
    assert pod["metadata"]["labels"]["instance-id"] == instance["id"]
    assert shown["url"] == f"http://{pod['status']['podIP']}:8080"
    header = asked_by_curl(cli)

    assert cli.json("instance", "suspend", "mine")["status"] == "suspended"
    assert namespace.objects("pods") == []
    assert cli.json("instance", "resume", "mine")["status"] == "running"
    assert cli.json("instance", "query", "mine", counted)["rows"] == [[3]]
    assert cli.json("instance", "terminate", "mine")["status"] == "terminated"
    assert namespace.objects("pods") == [] and not header.exists()
    until(lambda: not namespace.objects("secrets"), "the cluster does not collect the tokens")


def test_a_job_in_the_cluster_launches_and_ends_an_instance_with_the_platforms_image(
    in_the_cluster: CommandLine, namespace: Namespace, platform_image: str
) -> None:
    cli = in_the_cluster
    sockets = EmbeddedPostgres(cli.home).socket_folder
    with Proxy(next(sockets.glob(".s.PGSQL.*[0-9]")), address=namespace.node.sandbox.host_address) as postgres:
        catalog = f"postgresql+psycopg://graph_platform@{postgres.address}:{postgres.port}/graph_platform"
        namespace.kubectl("create", "secret", "generic", "catalog", f"--from-literal=url={catalog}")

        said = run_in_the_cluster(cli, namespace, platform_image, "launch_instance", snapshot="people", name="people")
        assert "RUN_SUCCESS" in said, said
        assert cli.json("instance", "query", "people", "MATCH (p:Person) RETURN count(*)")["rows"] == [[3]]
        said = run_in_the_cluster(cli, namespace, platform_image, "terminate_instance", instance="people")
        assert "RUN_SUCCESS" in said
        namespace.kubectl("delete", "secret", "catalog")
    until(lambda: not namespace.objects("pods,secrets,jobs"), "the cluster does not collect what was of the instance")


def test_a_readiness_that_never_comes_is_told_with_what_it_waits_for_and_leaves_no_pod(
    in_the_cluster: CommandLine, namespace: Namespace
) -> None:
    cli = in_the_cluster
    with socket.create_server((namespace.node.sandbox.host_address, 0)) as silent:  # takes requests, answers none
        address, port = silent.getsockname()
        elsewhere = {"stringData": {"AWS_ENDPOINT_URL": f"http://{address}:{port}"}}
        there = json.loads(namespace.kubectl("get", "secret", STORAGE_SECRET, "-o", "json"))
        namespace.kubectl("patch", "secret", STORAGE_SECRET, "-p", json.dumps(elsewhere))
        launched = cli.run(
            *("instance", "launch", "people", "-o", "json"), GRAPH_PLATFORM_INSTANCE_STARTUP_SECONDS="10"
        )
    namespace.kubectl("patch", "secret", STORAGE_SECRET, "-p", json.dumps({"data": there["data"]}))
    assert (launched.status, launched.json()["code"]) == (1, "STARTUP_TIMEOUT")
    assert "was not ready after 10 s (phase: fetching)" in launched.json()["message"]
    assert namespace.objects("pods") == []


def run_in_the_cluster(cli: CommandLine, namespace: Namespace, image: str, job: str, **config: str) -> str:
    """Run a Dagster job by `deploy/job.yaml`, and return what its pod said."""
    values, manifest = yaml.safe_load_all((ROOT / "deploy/job.yaml").read_text())
    values["data"]["run.yaml"] = json.dumps({"ops": {job: {"config": config}}})
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    command = container["command"]
    container["image"], command[command.index("-j") + 1] = image, job
    for variable in container["env"]:
        if "value" in variable:
            variable["value"] = cli.environment.get(variable["name"], variable["value"])
    namespace.kubectl("apply", "-f", "-", given=yaml.safe_dump_all([values, manifest]))

    def ended() -> bool:
        (seen,) = namespace.objects("jobs")
        return bool(seen.get("status", {}).get("conditions"))

    until(ended, f"{job} does not end", seconds=180)
    said = namespace.kubectl("logs", f"job/{manifest['metadata']['name']}")
    namespace.kubectl("delete", "job,configmap", manifest["metadata"]["name"])
    return said


def asked_by_curl(cli: CommandLine) -> Path:
    """Ask through `instance connect`, as its words say; returns the file with the token."""
    command = [sys.executable, "-m", "graph_platform", "instance", "connect", "mine", "-o", "json"]
    with subprocess.Popen(command, env=cli.variables(), stdout=subprocess.PIPE, text=True) as connected:
        assert connected.stdout is not None
        way = json.loads("".join(iter(connected.stdout.readline, "}\n")) + "}")
        header = Path(way["header_file"])
        headers = ("-H", f"@{header}", "-H", "Content-Type: application/json")
        question = ["curl", "-s", *headers, "-d", '{"cypher": "RETURN 1 AS one"}', f"{way['url']}/query"]
        curl = subprocess.run(question, capture_output=True, text=True, check=True)
        assert json.loads(curl.stdout)["rows"] == [[1]]
        assert header.stat().st_mode & 0o077 == 0
        connected.send_signal(signal.SIGINT)
        assert connected.wait(30) == 0
    return header
