"""`make cluster`: a Kubernetes node for a person, until Ctrl-C."""

from __future__ import annotations

import signal
import time

from graph_platform_tests.services.kubernetes.node import Node


def main() -> None:
    began = time.monotonic()
    print("starting a Kubernetes node; the first time its programs are built, which takes some minutes", flush=True)
    node = Node()
    try:
        config = node.state / "admin.yaml"
        print(f"ready after {time.monotonic() - began:.0f} seconds; in another terminal:\n")
        print(f"  export KUBECONFIG={config}")
        print(f"  {node.programs / 'kubectl'} get nodes\n")
        print(
            f"Ctrl-C here ends it, and nothing of it stays on this machine (process {node.sandbox.first})", flush=True
        )
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        node.close()


if __name__ == "__main__":
    main()
