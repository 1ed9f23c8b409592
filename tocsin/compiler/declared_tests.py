"""The tests that a job file declares, with their shape checked."""

from __future__ import annotations

from typing import Any

from tocsin.compiler.grammar import near
from tocsin.compiler.job import Step
from tocsin.compiler.yaml_document import Document


def tests_of(document: Document, steps: list[Step]) -> list[dict[str, Any]]:
    """The tests. Mistakes become problems of the document."""
    tests = document.data.get("tests") if isinstance(document.data, dict) else None
    if tests is None:
        return []
    if not isinstance(tests, list):
        document.problem("`tests` must be a list", ("tests",))
        return []
    names = [step.name for step in steps]
    for at, test in enumerate(tests):
        if not isinstance(test, dict) or not {"name", "given", "expect"} <= set(test):
            document.problem("a test has `name`, `given` and `expect`", ("tests", at))
            continue
        for key in ("given", "expect"):
            _check_targets(document, test[key], names, ("tests", at, key))
    return tests


def _check_targets(
    document: Document, tables: Any, names: list[str], path: tuple[str | int, ...]
) -> None:
    """Every table belongs to a step of the job."""
    for target in tables if isinstance(tables, dict) else {}:
        if str(target).partition(".")[0] not in names and names and not document.problems:
            document.problem(
                f"no step '{target}'{near(target, names)}", (*path, target), at_key=True
            )
