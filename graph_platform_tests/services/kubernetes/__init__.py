"""A whole Kubernetes 1.34 node for tests: real programs, built from Go modules, in namespaces of their own.

API server, etcd, controllers, scheduler, kubelet, kube-proxy, containerd and runc run in one network, mount and process
namespace: when its first process ends, so does all that ran in it, and its mounts, bridges and rules are gone. On the
host there are, while it lives, one veth interface with a route and one cgroup, which are taken away with it.
"""
