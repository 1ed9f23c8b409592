"""The tests that a job file declares, with their shape checked."""

from __future__ import annotations

from typing import Any

from tocsin.compiler.grammar import near
from tocsin.compiler.job import Step
from tocsin.compiler.yaml_document import Document, YamlPath

_TABLE = {"columns", "rows", "contains"}


def tests_of(document: Document, steps: list[Step]) -> list[dict[str, Any]]:
    """The tests. Mistakes become problems of the document."""
    tests = document.data.get("tests") if isinstance(document.data, dict) else None
    if tests is None:
        return []
    if not isinstance(tests, list):
        document.problem("`tests` must be a list", ("tests",))
        return []
    known = {} if document.problems else {step.name: step for step in steps}
    for at, test in enumerate(tests):
        here: YamlPath = ("tests", at)
        if not isinstance(test, dict) or not {"name", "given", "expect"} <= set(test):
            document.problem("a test has `name`, `given` and `expect`", here)
            continue
        if not isinstance(test["name"], str | int | float):
            document.problem("the name of a test is text", (*here, "name"))
        for key in ("given", "expect"):
            _check_tables(document, test[key], known, (*here, key))
    return tests


def _check_tables(document: Document, tables: Any, known: dict[str, Step], path: YamlPath) -> None:
    """Every table is one of rows, and belongs to a step and output of the job."""
    if not isinstance(tables, dict):
        document.problem(f"`{path[-1]}` is a mapping: rows by step", path)
        return
    for target, table in tables.items():
        here = (*path, target)
        name, _, output = str(target).partition(".")
        if known and name not in known:
            document.problem(f"no step '{target}'{near(target, list(known))}", here, at_key=True)
        elif known and path[-1] == "expect":
            _check_output(document, known[name], output or "output", here)
        wrong = _wrong_table(table)
        if wrong is not None:
            document.problem(wrong, here)


def _check_output(document: Document, step: Step, output: str, path: YamlPath) -> None:
    outputs = [*step.outputs, *step.aliases]
    if output not in outputs:
        listed = f" (outputs: {', '.join(outputs)})" if outputs else " (it has no outputs)"
        message = f"{step.name} has no output '{output}'{near(output, outputs)}{listed}"
        document.problem(message, path, at_key=True)


def _wrong_table(table: Any) -> str | None:
    """Why a table has the wrong shape, or None."""
    if table is None:
        return None
    if not isinstance(table, dict):
        if isinstance(table, list) and all(isinstance(row, dict) for row in table):
            return None
        return "the rows of a test are a list of mappings, or {columns: [...], rows: [[...], ...]}"
    columns, rows = table.get("columns", []), table.get("rows", [])
    unknown = next((key for key in table if key not in _TABLE), None)
    if unknown is not None:
        return f"unknown key '{unknown}' in a test's rows (known: columns, rows, contains)"
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        return "`columns` is a list of names"
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return "`rows` is a list of lists"
    uneven = next((row for row in rows if len(row) != len(columns)), None)
    if uneven is not None:
        return f"a row has {len(uneven)} cells, and there are {len(columns)} columns"
    return None
