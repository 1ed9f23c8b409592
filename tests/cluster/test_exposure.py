"""The manifests open no port wider than its users need.

These tests run nothing on Kubernetes or Docker; see infra/README.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from infra.cluster.settings import INFRA
from tests.support.manifests import compose, render

OVERLAYS = ("base", "trial")
REST, JOBS, ARTIFACTS, WORKER_POOL, ZOOKEEPER = 8081, 8099, 8098, 8100, 2181
MAY_SUBMIT = {"tocsin.org/may-submit": "true"}
# What runs code or reads files for whoever reaches it, by port: who may, as labels of pods.
POWERFUL: dict[int, list[dict[str, str]]] = {
    JOBS: [MAY_SUBMIT],
    ARTIFACTS: [MAY_SUBMIT],
    REST: [
        {"app": "job-server"},
        MAY_SUBMIT,
        {"app.kubernetes.io/name": "flink-kubernetes-operator"},
    ],
    6123: [{"tocsin.org/role": "taskmanager"}],
    6124: [{"tocsin.org/role": "taskmanager"}],
    6122: [{"tocsin.org/role": "jobmanager"}],
    WORKER_POOL: [],
    ZOOKEEPER: [],
}
# Fields of a pod by which a container escapes its network.
OF_THE_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostPort")


@pytest.fixture(scope="module", params=OVERLAYS)
def documents(request: pytest.FixtureRequest) -> list[Any]:
    return render(INFRA / "kubernetes" / request.param)


def of_kind(documents: list[Any], kind: str) -> list[Any]:
    return [one for one in documents if one["kind"] == kind]


def workloads(documents: list[Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each workload with the labels of its pods."""
    for one in documents:
        if one["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            yield one["metadata"]["name"], one["spec"]["template"]["metadata"]["labels"]
        if one["kind"] == "FlinkDeployment":
            for role in ("jobManager", "taskManager"):
                yield role, one["spec"][role]["podTemplate"]["metadata"]["labels"]


def rules(documents: list[Any], direction: str) -> Iterator[tuple[str, Any]]:
    for policy in of_kind(documents, "NetworkPolicy"):
        for rule in policy["spec"].get(direction, []):
            yield policy["metadata"]["name"], rule


def values(document: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a document with its value, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield key, value
            yield from values(value)
    elif isinstance(document, list):
        for item in document:
            yield from values(item)


def test_nothing_is_open_that_no_policy_names(documents: list[Any]) -> None:
    policies = of_kind(documents, "NetworkPolicy")
    closed = [one for one in policies if one["spec"]["podSelector"] == {}]
    assert [one["spec"] for one in closed] == [{"podSelector": {}, "policyTypes": ["Ingress"]}]
    assert {one["metadata"]["namespace"] for one in policies} == {"tocsin"}


def test_each_workload_has_a_policy_of_its_own(documents: list[Any]) -> None:
    selectors = [
        one["spec"]["podSelector"].get("matchLabels", {})
        for one in of_kind(documents, "NetworkPolicy")
    ]
    found = list(workloads(documents))
    assert {"job-server", "jobManager", "taskManager"} <= {name for name, _ in found}
    for name, labels in found:
        chosen = [one for one in selectors if one and one.items() <= labels.items()]
        assert len(chosen) == 1, name
    # No policy is left over for pods that no longer exist.
    for selector in selectors:
        assert any(selector.items() <= labels.items() for _, labels in found), selector


def test_each_rule_names_its_peers_and_its_ports(documents: list[Any]) -> None:
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for name, rule in rules(documents, direction):
            assert rule.get("ports"), name
            assert rule.get(peers), name
            for peer in rule[peers]:
                assert "ipBlock" not in peer, name
                for selector in peer.values():
                    assert selector.get("matchLabels"), f"{name}: {peer} is everybody"
                if direction == "ingress":
                    assert "podSelector" in peer, f"{name}: {peer} is a whole namespace"


def test_only_who_has_to_reaches_a_port_that_runs_code(documents: list[Any]) -> None:
    reached: dict[int, list[dict[str, str]]] = {port: [] for port in POWERFUL}
    for _, rule in rules(documents, "ingress"):
        for port, peer in itertools.product(rule["ports"], rule["from"]):
            assert "endPort" not in port
            if port["port"] in reached:
                reached[port["port"]].append(peer["podSelector"]["matchLabels"])
    assert reached == POWERFUL


def test_the_ports_of_the_policies_are_those_of_the_settings(documents: list[Any]) -> None:
    settings = of_kind(documents, "FlinkDeployment")[0]["spec"]["flinkConfiguration"]
    fixed = {int(value) for name, value in settings.items() if name.endswith(".port")}
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(documents, "NetworkPolicy")}
    opened = {
        port["port"]
        for name in ("jobmanager", "taskmanager")
        for rule in policies[name]["ingress"]
        for port in rule["ports"]
    }
    assert opened == fixed | {REST}


def test_no_pod_and_no_service_leaves_the_clusters_network(documents: list[Any]) -> None:
    for document in documents:
        assert document["kind"] not in {"Ingress", "Gateway", "HTTPRoute", "TCPRoute", "Route"}
        for key, value in values(document):
            assert key not in OF_THE_HOST, (document["metadata"]["name"], key)
            assert key not in {"nodePort", "externalIPs", "loadBalancerIP", "ingress"} or (
                document["kind"] == "NetworkPolicy"
            )
            assert value not in ("NodePort", "LoadBalancer", "ExternalName"), document["metadata"]


def test_compose_publishes_on_loopback_only_what_its_users_need() -> None:
    services = compose()["services"]
    published = {
        name: [str(port) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }
    assert published == {
        "kafka": ["127.0.0.1:19092:19092"],
        "jobmanager": ["127.0.0.1:8081:8081"],
        "jobserver": ["127.0.0.1:8099:8099", "127.0.0.1:8098:8098"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    for name, service in services.items():
        assert service.get("network_mode") in (None, "service:taskmanager"), name
        assert not service.get("privileged"), name
        assert service.get("pid") != "host", name


def test_compose_separates_who_need_not_meet() -> None:
    document = compose()
    services, networks = document["services"], document["networks"]
    joined = {
        name: set(service["networks"]) for name, service in services.items() if name != "workers"
    }
    assert set().union(*joined.values()) == networks.keys()
    assert "default" not in networks

    def meet(one: str) -> set[str]:
        return {name for name in joined if name != one and joined[name] & joined[one]}

    # The workers, with the code of jobs, live in the TaskManager's network.
    assert meet("jobserver") == {"jobmanager"}
    assert meet("zookeeper") == {"jobmanager", "taskmanager"}
    assert meet("kafka") == {"taskmanager"}
    assert meet("grafana") == {"prometheus"}
    # A published port needs a network with a way out; ZooKeeper and Flink's own need none.
    for name in ("flink", "quorum", "metrics"):
        assert networks[name] == {"internal": True}, name
    for name, service in services.items():
        if "ports" in service:
            assert any(not networks[one] for one in joined[name]), name
