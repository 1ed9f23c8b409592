"""The real dependencies: versions, licences, bill of materials and page."""

from __future__ import annotations

import json
import re

import pytest

from infra.audit.__main__ import outdated
from infra.audit.component import Component
from infra.audit.jars import jars
from infra.audit.licences import Rules, problems
from infra.audit.packages import LOCKS, locked, packages
from infra.audit.page import PAGE
from infra.audit.sbom import bill, invalid
from infra.cluster.checksums import LIST
from infra.cluster.settings import ROOT

RULES = Rules.read()


@pytest.fixture(scope="module")
def components() -> list[Component]:
    return [*packages(), *jars()]


def test_every_dependency_has_an_allowed_licence(components: list[Component]) -> None:
    assert problems(components, RULES) == []


def test_every_package_of_every_lock_is_a_component(components: list[Component]) -> None:
    listed = {(one.name, one.version) for one in components if one.kind == "pypi"}
    pinned = {pin for lock in LOCKS.values() for pin in locked(ROOT / lock).items()}
    assert listed == pinned
    assert len(pinned) > 100


def test_every_jar_of_the_list_is_a_component_with_its_coordinates(
    components: list[Component],
) -> None:
    found = {one.digest: one for one in components if one.kind == "maven"}
    assert found.keys() == set(re.findall(r"^[0-9a-f]{64}", LIST.read_text("utf-8"), re.MULTILINE))
    assert all(one.group and one.version and one.licence for one in found.values())


def test_what_runs_in_workers_is_used_by_jobs(components: list[Component]) -> None:
    used = {one.name: one.used for one in components if one.kind == "pypi"}
    assert used["apache-beam"] == ("jobs",)
    assert used["pytest"] == ("development",)
    assert used["setuptools"] == ("build",)
    assert used["pyspark"] == ("readers",)


def test_the_bill_of_materials_is_valid_and_whole(components: list[Component]) -> None:
    written = bill(components, RULES, "1.2.3")
    assert invalid(written) == []
    found = json.loads(written)
    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["version"] == "1.2.3"
    assert len(found["components"]) == len(components)
    assert all(one["licenses"] for one in found["components"])
    jar = next(one for one in found["components"] if one["name"] == "kafka-clients")
    assert jar["purl"] == f"pkg:maven/org.apache.kafka/kafka-clients@{jar['version']}"
    assert re.fullmatch("[0-9a-f]{64}", jar["hashes"][0]["content"])


def test_a_bill_that_disobeys_the_schema_is_found(components: list[Component]) -> None:
    found = json.loads(bill(components, RULES, "1.2.3"))
    del found["components"][0]["name"]
    assert invalid(json.dumps(found))[0].startswith("the bill of materials is not valid")


def test_the_page_of_dependencies_is_current(components: list[Component]) -> None:
    assert outdated(components, RULES, PAGE) == []
    assert outdated(components[1:], RULES, PAGE) == [
        "dependencies.md is out of date: `python -m infra.audit page` writes it"
    ]
