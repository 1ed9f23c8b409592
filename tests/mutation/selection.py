"""Which tests run which line: measured once for a state of the tree, and kept in `.mutants`."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coverage import CoverageData

from tests.mutation.mutants import AREAS, Mutant
from tests.mutation.worker import ROOT, STORE, Worker, share

# What `make test` runs, the longest first. Left out are folders that run none of the areas' code in
# this process, and tests/real, which needs recordings.
FOLDERS = [
    f"tests/{name}"
    for name in (
        "kernels", "integration", "cli", "steps", "engines", "transforms", "lake", "backtest",
        "compiler", "kafka", "evaluation", "parts", "alarms",
    )
]  # fmt: skip
# These tests read the declarations of all parts, and run no function of their modules.
_OF_DECLARATIONS = "tests/parts/test_defaults.py"
# Seconds for a run of all tests.
_PATIENCE = 2400.0
# Tests of one mutant stop being added at these seconds of measured time.
MOST_SECONDS = 60.0


# By file and line: the tests that ran it.
Lines = dict[str, dict[int, list[str]]]


@dataclass(frozen=True)
class Selection:
    """lines: which tests ran which line. seconds: of each test that passes."""

    lines: Lines
    seconds: dict[str, float]

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests of a mutant: those of its own folder first, the quickest of them first.

        The lines of a module that no function holds run at import, and the functions of
        librdkafka.py run unseen: all tests that run a function of the module count for them.
        """
        tree = ast.parse((ROOT / mutant.path).read_text("utf-8"))
        lines = self.lines.get(mutant.path, {})
        span = statement_lines(tree, mutant.line)
        found = {test for line in span or () for test in lines.get(line, ())} if span else set()
        if not found and (span is None or is_native(tree, mutant.line)):
            found = {test for tests in lines.values() for test in tests}
            found = found or self._of_importers(mutant.path)
        if span is None and mutant.path.startswith("transforms/"):
            found |= {test for test in self.seconds if test.startswith(_OF_DECLARATIONS)}
        return self._cheapest(found & self.seconds.keys(), mutant.path)

    def _cheapest(self, tests: set[str], path: str) -> list[str]:
        folder = str(Path(path).parent)
        near = "tests/" + (
            folder.partition("/")[2] if folder.startswith("tocsin") else "transforms"
        )
        ordered = sorted(tests, key=lambda test: (not test.startswith(near), self.seconds[test]))
        found: list[str] = []
        total = 0.0
        for test in ordered:
            if found and total + self.seconds[test] > MOST_SECONDS:
                continue
            total += self.seconds[test]
            found.append(test)
        return found

    def _of_importers(self, path: str) -> set[str]:
        module = path.removesuffix(".py").replace("/", ".")
        return {
            test
            for other, lines in self.lines.items()
            if module in self._imports.get(other, "")
            for tests in lines.values()
            for test in tests
        }

    @cached_property
    def _imports(self) -> dict[str, str]:
        return {path: (ROOT / path).read_text("utf-8") for path in self.lines}


def statement_lines(tree: ast.Module, line: int) -> range | None:
    """The lines of the innermost statement at a line, its body left out; None outside functions."""
    inside, found = False, range(line, line + 1)
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        is_function = isinstance(node, ast.FunctionDef)
        inside = inside or (is_function and body is not None and line >= body[0].lineno)
        if not is_function and node.lineno <= line <= max(last, node.lineno):
            found = range(node.lineno, max(last, node.lineno) + 1)
    return found if inside else None


def is_native(tree: ast.Module, line: int) -> bool:
    """Whether a line is in a function that `njit` compiles without our `compiled`."""
    return any(
        isinstance(node, ast.FunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
        and any("njit" in ast.unparse(decorator) for decorator in node.decorator_list)
        for node in ast.walk(tree)
    )


def digest() -> str:
    """A hash of all files that tests may read."""
    found = hashlib.sha256()
    for folder in ("tocsin", "transforms", "tests", "schemas", "jobs", "registry"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def measured(workers: list[Worker]) -> Selection:
    """The selection for the tree as it is: read if it was measured before."""
    file = STORE / f"selection-{digest()}.json"
    if not file.exists():
        parts = share(workers, _measure, FOLDERS)
        for old in STORE.glob("selection-*.json"):
            old.unlink()
        seconds = {test: one for part in parts for test, one in part.seconds.items()}
        lines: Lines = {}
        for part in parts:
            for path, tests in part.lines.items():
                _add(lines.setdefault(path, {}), tests)
        file.write_text(json.dumps({"lines": lines, "seconds": seconds}))
    found = json.loads(file.read_text())
    by_line = {
        path: {int(line): tests for line, tests in lines.items()}
        for path, lines in found["lines"].items()
    }
    return Selection(by_line, found["seconds"])


def _measure(worker: Worker, folder: str) -> Selection:
    """Run the tests of a folder. One that fails without a mutant is left out: it kills nothing."""
    result, data = worker.root / ".measure.json", worker.root / ".coverage"
    covered = [f"--cov={folder}" for folder in AREAS.values()]
    options = ["-p", "tests.mutation.measure", "--cov-context=test", "--cov-report=", *covered]
    run = worker.test(
        [*options, folder],
        _PATIENCE,
        {"TOCSIN_MEASURE": str(result), "COVERAGE_FILE": str(data)},
    )
    (STORE / f"{Path(folder).name}.log").write_text(run.output)
    found = json.loads(result.read_text())
    lines: Lines = {}
    coverage = CoverageData(str(data))
    coverage.read()
    for path in coverage.measured_files():
        contexts = coverage.contexts_by_lineno(path)
        by_line = {
            line: [context.partition("|")[0] for context in contexts[line] if context]
            for line in contexts
        }
        _add(lines.setdefault(str(Path(path).relative_to(worker.root)), {}), by_line)
    for path, first, last, tests in found["calls"]:
        name = path.removeprefix(f"{worker.root}/")  # a test may compile a file of its own
        if name in lines:
            _add(lines[name], dict.fromkeys(range(first, last + 1), tests))
    return Selection(lines, found["seconds"])


def _add(lines: dict[int, list[str]], more: dict[int, list[str]]) -> None:
    for line, tests in more.items():
        lines[line] = sorted({*lines.get(line, ()), *tests})
