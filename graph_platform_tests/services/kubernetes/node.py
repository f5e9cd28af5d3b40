"""One node that is a whole cluster: its programs, in their order, and what a client needs to reach it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from graph_platform_tests.services.kubernetes.certificates import Authority, Pair
from graph_platform_tests.services.kubernetes.images import scratch_image
from graph_platform_tests.services.kubernetes.programs import programs
from graph_platform_tests.services.kubernetes.sandbox import STATE_PREFIX, Sandbox
from graph_platform_tests.waiting import until

NAME = "node-1"
SECONDS = 180.0
"""How long each program may take on a busy machine until it answers."""

PAUSE = "localhost/pause:1"


class Node:
    """A running cluster of one node. `close` leaves nothing of it on the machine.

    Args:
        eviction: the kubelet's hard thresholds, for tests of evictions.
    """

    def __init__(self, eviction: Mapping[str, str] | None = None) -> None:
        self.programs = programs()
        # In /tmp: a socket's path may have 108 bytes.
        self.state = Path(tempfile.mkdtemp(prefix=STATE_PREFIX, dir="/tmp"))
        self.sandbox = Sandbox(self.state)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._eviction = dict(eviction or {})
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.sandbox.address}:6443"

    def kubeconfig(self, pair: Pair | None = None, *, token: str | None = None, server: str | None = None) -> str:
        """A kubeconfig's text, for the cluster's administrator unless a certificate or a token is given."""
        user: dict[str, Any] = {"token": token} if token else _user(pair or self.administrator)
        ca = base64.b64encode(self.authority.certificate.read_bytes()).decode()
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "node",
                        "cluster": {"server": server or self.server, "certificate-authority-data": ca},
                    }
                ],
                "users": [{"name": "user", "user": user}],
                "contexts": [{"name": "node", "context": {"cluster": "node", "user": "user"}}],
                "current-context": "node",
            }
        )

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl as the administrator, and return what it printed."""
        command = [str(self.programs / "kubectl"), "--kubeconfig", str(self.state / "admin.yaml"), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Create or change objects."""
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(manifests))

    def load(self, archive: Path) -> None:
        """Bring the images of an OCI or Docker archive to the node."""
        self.sandbox.run("ctr", "-a", self._socket, "-n", "k8s.io", "images", "import", "--no-unpack", str(archive))

    def stop_program(self, name: str) -> None:
        """End one of the node's programs, as a failure of it."""
        process = self._processes.pop(name)
        self.sandbox.run("pkill", "-9", "-x", name[:15])
        process.wait(30)

    def start_api_server(self) -> None:
        """Start the API server, and wait until it is ready."""
        keys = self.authority
        pair = self._api_pair
        self._run(
            "kube-apiserver",
            *("--advertise-address", self.sandbox.address, "--bind-address", "0.0.0.0"),
            *("--secure-port", "6443", "--etcd-servers", "http://127.0.0.1:2379"),
            *("--service-cluster-ip-range", self.sandbox.services, "--authorization-mode", "Node,RBAC"),
            *("--client-ca-file", str(keys.certificate)),
            *("--tls-cert-file", str(pair.certificate), "--tls-private-key-file", str(pair.key)),
            *("--kubelet-client-certificate", str(pair.certificate), "--kubelet-client-key", str(pair.key)),
            *("--kubelet-certificate-authority", str(keys.certificate)),
            *("--kubelet-preferred-address-types", "InternalIP"),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--service-account-key-file", str(self._accounts)),
            *("--service-account-signing-key-file", str(self._accounts)),
            *("--enable-admission-plugins", "NodeRestriction", "--allow-privileged=false"),
        )
        self._until("kube-apiserver", lambda: "ok" in self.kubectl("get", "--raw", "/readyz"))

    def start_kubelet(self) -> None:
        """Start the kubelet again, and wait until the node is ready."""
        self._run_kubelet()
        self._until("kubelet", self._ready)

    def compact(self) -> None:
        """Have etcd forget all versions but the newest, as it does from time to time."""
        self.sandbox.run(sys.executable, "-c", _COMPACT)

    def close(self) -> None:
        """End it."""
        for process in self._processes.values():
            process.kill()
        self.sandbox.close()
        for process in self._processes.values():
            process.wait(30)

    def _start(self) -> None:
        keys = self.authority = Authority(self.state / "keys")
        self.administrator = keys.pair("admin", "admin", ("system:masters",))
        addresses = ("localhost", "127.0.0.1", self.sandbox.address, self._first_service())
        self._api_pair = keys.pair("api", "kube-apiserver", ("system:masters",), addresses)
        self._accounts = keys.key("accounts")
        (self.state / "admin.yaml").write_text(self.kubeconfig())
        self._run(
            "etcd",
            *("--data-dir", str(self.state / "etcd"), "--unsafe-no-fsync", "--log-level", "warn"),
            *("--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379"),
            *("--listen-peer-urls", "http://127.0.0.1:2380"),
        )
        self._start_containerd()
        self.start_api_server()
        self._controller("kube-controller-manager", "system:kube-controller-manager", self._controllers())
        self._controller("kube-scheduler", "system:kube-scheduler", ("--leader-elect=false",))
        self._start_kubelet()
        self._start_proxy()
        self._until("kubelet", self._ready)

    def _first_service(self) -> str:
        return self.sandbox.services.replace(".0/24", ".1")

    @property
    def _socket(self) -> str:
        return str(self.state / "containerd.sock")

    def _controllers(self) -> tuple[str, ...]:
        return (
            *("--leader-elect=false", "--use-service-account-credentials=true"),
            *("--service-account-private-key-file", str(self._accounts), "--root-ca-file"),
            *(str(self.authority.certificate), "--node-monitor-grace-period=20s"),
        )

    def _start_containerd(self) -> None:
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": self.sandbox.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
        (self.state / "cni").mkdir()
        (self.state / "cni/pods.conflist").write_text(json.dumps(network))
        (self.state / "containerd.toml").write_text(
            f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{self.state}/cni"
"""
        )
        self._run("containerd", "--config", str(self.state / "containerd.toml"), debian=True)
        self._until("containerd", lambda: bool(self.sandbox.run("ctr", "-a", self._socket, "version")))
        archive = self.state / "pause.tar"
        archive.write_bytes(scratch_image(PAUSE, self.programs / "pause"))
        self.load(archive)

    def _start_kubelet(self) -> None:
        pair = self.authority.pair("kubelet", f"system:node:{NAME}", ("system:nodes",), (self.sandbox.address,))
        (self.state / "kubelet.yaml").write_text(self.kubeconfig(pair))
        (self.state / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        off = {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"}
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.sandbox.address,
            "authentication": {
                "anonymous": {"enabled": False},
                "x509": {"clientCAFile": str(self.authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pair.certificate),
            "tlsPrivateKeyFile": str(pair.key),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.sandbox.name}",
            "enforceNodeAllocatable": [],
            "evictionHard": {**off, **self._eviction},
            "failCgroupV1": False,
            "failSwapOn": False,
            "localStorageCapacityIsolation": True,
            "imageGCHighThresholdPercent": 100,
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "resolvConf": str(self.state / "resolv.conf"),
            "oomScoreAdj": 0,
            "maxPods": 250,
            "registerNode": True,
            "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "5s",
        }
        (self.state / "kubelet-config.yaml").write_text(yaml.safe_dump(config))
        self._run_kubelet()

    def _run_kubelet(self) -> None:
        self._run(
            "kubelet",
            *("--config", str(self.state / "kubelet-config.yaml"), "--kubeconfig", str(self.state / "kubelet.yaml")),
            *("--hostname-override", NAME, "--node-ip", self.sandbox.address, "--root-dir", "/var/lib/kubelet"),
        )

    def _start_proxy(self) -> None:
        pair = self.authority.pair("proxy", "system:kube-proxy")
        (self.state / "proxy.yaml").write_text(self.kubeconfig(pair))
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clusterCIDR": self.sandbox.pods,
            "hostnameOverride": NAME,
            "clientConnection": {"kubeconfig": str(self.state / "proxy.yaml")},
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "oomScoreAdj": 0,
        }
        (self.state / "proxy-config.yaml").write_text(yaml.safe_dump(config))
        self._run("kube-proxy", "--config", str(self.state / "proxy-config.yaml"))

    def _controller(self, program: str, user: str, arguments: tuple[str, ...]) -> None:
        path = self.state / f"{program}.yaml"
        path.write_text(self.kubeconfig(self.authority.pair(program, user)))
        places = ("--kubeconfig", str(path), "--authentication-kubeconfig", str(path))
        self._run(program, *places, "--authorization-kubeconfig", str(path), *arguments)

    def _ready(self) -> bool:
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        conditions = nodes[0]["status"].get("conditions", []) if nodes else []
        accounts = self.kubectl("get", "serviceaccounts", "-o", "name")
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions) and bool(accounts)

    def _run(self, program: str, *arguments: str, debian: bool = False) -> None:
        path = program if debian else str(self.programs / program)
        with (self.state / f"{program}.log").open("ab") as log:
            environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
            self._processes[program] = self.sandbox.start([path, *arguments], log, environment)

    def _until(self, program: str, condition: Any) -> None:
        def holds() -> bool:
            assert self._processes[program].poll() is None, f"{program} ended: {self.log(program)}"
            try:
                return bool(condition())
            except AssertionError:
                return False

        try:
            until(holds, "", SECONDS)
        except AssertionError as late:
            raise AssertionError(f"{program} is not ready: {late} {self.log(program)}") from late

    def log(self, program: str) -> str:
        """The end of what a program has logged."""
        return (self.state / f"{program}.log").read_text(errors="replace")[-2000:]


_COMPACT = """
import json, urllib.request
def ask(what, **fields):
    request = urllib.request.Request(f"http://127.0.0.1:2379/v3/kv/{what}", json.dumps(fields).encode())
    return json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30))
newest = ask("range", key="AA==", limit=1)["header"]["revision"]
ask("compaction", revision=newest, physical=True)
"""


def _user(pair: Pair) -> dict[str, str]:
    encoded = {
        "client-certificate-data": pair.certificate,
        "client-key-data": pair.key,
    }
    return {name: base64.b64encode(path.read_bytes()).decode() for name, path in encoded.items()}
