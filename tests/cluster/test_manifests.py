"""The Kubernetes manifests are valid for Kubernetes and Flink's operator, and compose agrees.

These tests run nothing on Kubernetes or Docker; see infra/README.md.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from infra.cluster.download import fetch_operator
from infra.cluster.processes import processes
from infra.cluster.settings import INFRA, Cluster, versions
from tests.support.manifests import compose, render

SCHEMAS = "META-INF/fabric8/{}s.flink.apache.org-v1.yml"


def flink_deployment() -> Any:
    return next(
        one for one in render(INFRA / "kubernetes" / "base") if one["kind"] == "FlinkDeployment"
    )


def operator_schema(kind: str) -> Any:
    with zipfile.ZipFile(fetch_operator(Cluster())) as jar:
        definition = yaml.safe_load(jar.read(SCHEMAS.format(kind.lower())))
    # Fields of every resource, which the API server knows.
    everywhere = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    version = next(
        version for version in definition["spec"]["versions"] if version["name"] == "v1beta1"
    )
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= everywhere
    return schema


def strict(schema: Any) -> Any:
    """The schema that rejects unknown fields, as the API server's strict validation does."""
    if isinstance(schema, dict):
        made = {key: strict(value) for key, value in schema.items()}
        if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
            made["additionalProperties"] = bool(
                made.get("x-kubernetes-preserve-unknown-fields", False)
            )
        return made
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("overlay", ["base", "trial"])
def test_the_manifests_render_and_are_valid(overlay: str) -> None:
    documents = render(INFRA / "kubernetes" / overlay)
    assert len(documents) > 8
    for document in documents:
        if document["apiVersion"].startswith("flink.apache.org/"):
            jsonschema.validate(document, operator_schema(document["kind"]))
        else:
            kubernetes_validate.validate(
                document, kubernetes_validate.latest_version(), strict=True
            )


def test_an_unknown_field_of_the_operators_resource_is_rejected() -> None:
    flink = flink_deployment()
    schema = operator_schema("FlinkDeployment")
    jsonschema.validate(flink, schema)
    flink["spec"]["taskManager"]["replicaz"] = 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(flink, schema)


def test_all_manifests_use_the_versions_of_one_file() -> None:
    known = versions()
    for document in render(INFRA / "kubernetes" / "trial"):
        template = (
            document.get("spec", {}).get("template", {})
            if isinstance(document.get("spec"), dict)
            else {}
        )
        for container in template.get("spec", {}).get("containers", []):
            name, _, tag = container["image"].partition(":")
            wanted = {
                "tocsin-flink": known["FLINK_VERSION"],
                "apache/kafka": known["KAFKA_VERSION"],
            }.get(name)
            assert wanted is None or tag == wanted, container["image"]
    flink = flink_deployment()["spec"]
    assert flink["image"] == f"tocsin-flink:{known['FLINK_VERSION']}"
    assert flink["flinkVersion"] == "v" + known["FLINK_LINE"].replace(".", "_")


def test_compose_has_the_same_topology() -> None:
    services = compose()["services"]
    here = {process.name for process in processes(Cluster())}
    assert here <= services.keys()
    for name, service in services.items():
        for other in service.get("depends_on", []):
            assert other in services, name
        if "build" in service:
            assert (INFRA.parent / service["build"]["dockerfile"]).is_file()
    assert services["workers"]["network_mode"] == "service:taskmanager"


def test_containers_have_the_settings_of_the_local_cluster(tmp_path: Path) -> None:
    """Settings found by experiment are equal in all three places."""
    from infra.cluster.processes import prepare

    cluster = Cluster(folder=tmp_path)
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "meta.properties").touch()
    prepare(cluster)
    here = yaml.safe_load((tmp_path / "conf" / "config.yaml").read_text())
    flink = flink_deployment()["spec"]
    there = (
        yaml.safe_load(compose()["x-flink"]["environment"]["FLINK_PROPERTIES"]),
        flink["flinkConfiguration"],
    )
    for name in (
        "restart-strategy.type",
        "restart-strategy.fixed-delay.attempts",
        "restart-strategy.fixed-delay.delay",
        "jobstore.expiration-time",
        "web.submit.enable",
        "heartbeat.interval",
        "heartbeat.timeout",
        "classloader.resolve-order",
        "metrics.reporter.prometheus.factory.class",
    ):
        for settings in there:
            assert str(settings[name]).lower() == str(here[name]).lower(), name
