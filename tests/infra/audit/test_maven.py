"""Coordinates and licences of jars come from Maven's POM files."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.audit.jars import jars, write_table
from infra.audit.licences import Rules, problems
from infra.cluster.checksums import digest_of

LICENCE = "<licenses><license><name>{}</name></license></licenses>"
PARENT = (
    "<parent><groupId>org.city</groupId><artifactId>above</artifactId><version>9</version></parent>"
)
HEAD = '<project xmlns="http://maven.apache.org/POM/4.0.0">'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def deposit(repository: Path, name: str, version: str, inside: str, jar: bytes | None) -> str:
    folder = repository / "org" / "city" / name / version
    folder.mkdir(parents=True)
    pom = folder / f"{name}-{version}.pom"
    pom.write_text(f"{HEAD}{inside}</project>", "utf-8")
    if jar is None:
        return ""
    pom.with_suffix(".jar").write_bytes(jar)
    return digest_of(pom.with_suffix(".jar"))


def test_a_licence_comes_from_the_pom_or_from_its_parent(repository: Path, tmp_path: Path) -> None:
    deposit(repository, "above", "9", LICENCE.format("Apache 2.0"), None)
    own = deposit(repository, "own", "1.0", PARENT + LICENCE.format("MIT"), b"own")
    heir = deposit(repository, "heir", "2.0", PARENT, b"heir")
    bare = deposit(repository, "bare", "3.0", "", b"bare")
    listed = tmp_path / "checksums.txt"
    listed.write_text(
        f"{own}  kafka-1/own-1.0.jar\n{own}  runner-1/own-1.0.jar\n{heir}  kafka-1/heir-2.0.jar\n"
        f"{bare}  kafka-1/bare-3.0.jar\n{'0' * 64}  kafka-1/planted.jar\n"
        f"{'1' * 64}  flink-1.2/lib/log4j-core-2.17.1.jar\n{'2' * 64}  flink-1.2/bin/tool.jar\n",
        "utf-8",
    )
    assert write_table(repository, listed, tmp_path / "jars.csv") == ["kafka-1/planted.jar"]
    found = {one.name: one for one in jars(listed, tmp_path / "jars.csv")}
    assert (found["own"].licence, found["own"].used) == ("MIT", ("kafka", "runner"))
    assert (found["heir"].licence, found["heir"].group) == ("Apache 2.0", "org.city")
    assert (found["log4j-core"].group, found["tool"].version) == ("org.apache.logging.log4j", "1.2")
    told = problems(
        found.values(),
        Rules(frozenset({"MIT", "Apache-2.0"}), {}, {}, {"Apache 2.0": "Apache-2.0"}, {}),
    )
    assert [sentence.partition(":")[0] for sentence in told] == [
        "bare 3.0 names no licence",
        "planted names no licence",
    ]
