"""A dependency without a known and allowed licence is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.audit.component import Component
from infra.audit.licences import Rules, problems, that_need

RULES = Rules(
    permissive=frozenset({"MIT", "Apache-2.0"}),
    weak={"MPL-2.0": "unchanged"},
    tools={"GPL-2.0-only": "a program"},
    names={"The MIT License": "MIT"},
    packages={"silent": {"licence": "MIT", "source": "its file LICENSE"}},
)
SILENT = Component("pypi", "silent", "1", used=("jobs",))
NEW = Component("pypi", "new", "2.1", used=("jobs",))


def problem(licence: str, *, kind: str = "pypi", used: str = "jobs") -> str:
    new = replace(NEW, kind=kind, licence=licence, used=(used,))
    return " ".join(problems([SILENT, new], RULES))


@pytest.mark.parametrize(
    "licence",
    ["MIT", "The MIT License", "MPL-2.0", "MIT AND Apache-2.0", "GPL-3.0-only OR MIT",
     "(GPL-3.0-only OR MIT) AND Apache-2.0"],
)  # fmt: skip
def test_an_allowed_licence_is_no_problem(licence: str) -> None:
    assert problem(licence) == ""


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-only", "MIT AND GPL-3.0-only", "AGPL-3.0-or-later", "GPL-2.0-only OR GPL-3.0-only",
     "GPL-2.0-only WITH Classpath-exception-2.0"],
)  # fmt: skip
def test_a_licence_that_is_not_listed_is_a_problem(licence: str) -> None:
    assert (
        problem(licence) == f"new 2.1 has the licence {licence}, which licences.toml does not allow"
    )


def test_a_new_dependency_without_a_licence_is_a_problem() -> None:
    assert problem("").startswith("new 2.1 names no licence: read the licence in its files")


@pytest.mark.parametrize(
    "text", ["BSD License", "see LICENSE", "MIT, Apache", "Dual License", "(("]
)
def test_a_text_that_is_not_exact_is_a_problem(text: str) -> None:
    assert problem(text).startswith(
        f"new 2.1 has the licence '{text}', which is no SPDX expression"
    )


def test_copyleft_of_a_tool_stays_with_developers() -> None:
    assert problem("GPL-2.0-only", used="development") == ""
    for used in ("jobs", "kafka", "flink", "runner"):
        assert "does not allow" in problem("GPL-2.0-only", used=used), used
    shipped = replace(NEW, licence="GPL-2.0-only", used=("build", "jobs"))
    assert len(problems([SILENT, shipped], RULES)) == 1


def test_a_rule_by_hand_does_not_outlive_its_package() -> None:
    assert problems([NEW], RULES)[-1] == "licences.toml has silent, which is no dependency"


def test_a_jar_is_not_taken_for_the_package_of_its_name() -> None:
    jar = replace(NEW, kind="maven", name="silent")
    assert "names no licence" in problems([SILENT, jar], RULES)[0]


def test_reasons_name_what_needs_them() -> None:
    tool = replace(NEW, licence="GPL-2.0-only", used=("development",))
    choice = replace(NEW, licence="GPL-2.0-only OR MIT", used=("development",))
    weak = replace(NEW, licence="MPL-2.0 AND MIT")
    everything = [tool, choice, weak]
    assert that_need("GPL-2.0-only", everything, RULES) == [tool]
    assert that_need("MPL-2.0", everything, RULES) == [weak]


def test_every_rule_by_hand_has_a_source() -> None:
    rules = Rules.read()
    assert all({*rule} == {"licence", "source"} for rule in rules.packages.values())
    assert rules.packages["pyruhvro"]["licence"] == "MIT"
    assert not rules.permissive & {*rules.weak, *rules.tools}
