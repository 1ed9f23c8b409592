"""Which tests run which line: measured once for a state of the tree, and kept in `.mutants`."""

from __future__ import annotations

import ast
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coverage import CoverageData

from tests.mutation.mutants import AREAS, Mutant
from tests.mutation.worker import ROOT, STORE, Worker

# The fast tests of the areas. Clusters, readers and jobs in worker processes are left out.
TESTS = ["alarms", "compiler", "kafka", "kernels", "lake", "parts", "steps", "transforms"]
# Those of them that call a C library from compiled code.
_NATIVE = ["kafka"]
# In the run for lines, compiled loops run in Python; a test is stopped after these seconds.
MAP_SECONDS = 4
_MEASURED = ["-p", "tests.mutation.measure"]
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

        The lines of a module that no function holds run at import, and Numba's own functions run
        unseen: all tests that run a function of the module count for them.
        """
        tree = ast.parse((ROOT / mutant.path).read_text("utf-8"))
        lines = self.lines.get(mutant.path, {})
        span = statement_lines(tree, mutant.line)
        found = {test for line in span or () for test in lines.get(line, ())} if span else set()
        if not found and (span is None or is_native(tree, mutant.line)):
            found = {test for tests in lines.values() for test in tests}
            found = found or self._of_importers(mutant.path)
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
    """Whether a line is in a function that Numba compiles even where its loops run in Python."""
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
        with ThreadPoolExecutor(2) as pool:
            seconds = pool.submit(_seconds, workers[0])
            lines = pool.submit(_lines, workers[-1])
        for old in STORE.glob("selection-*.json"):
            old.unlink()
        file.write_text(json.dumps({"lines": lines.result(), "seconds": seconds.result()}))
    found = json.loads(file.read_text())
    by_line = {
        path: {int(line): tests for line, tests in lines.items()}
        for path, lines in found["lines"].items()
    }
    return Selection(by_line, found["seconds"])


def _seconds(worker: Worker) -> dict[str, float]:
    """The tests as they are: a test that fails without a mutant kills nothing."""
    result = worker.root / ".seconds.json"
    folders = [f"tests/{name}" for name in TESTS]
    environment = {"TOCSIN_MEASURE": str(result)}
    run = worker.test([*_MEASURED, *folders], _PATIENCE, environment)
    (STORE / "seconds.log").write_text(run.output)
    found: dict[str, float] = json.loads(result.read_text())["seconds"]
    return found


def _lines(worker: Worker) -> Lines:
    """The tests in Python alone, so that the lines of compiled loops count.

    Those that read Kafka call a C library from compiled code, so they run as they are.
    """
    plain = [f"tests/{name}" for name in TESTS if name not in _NATIVE]
    native = [f"tests/{name}" for name in _NATIVE]
    found: Lines = {}
    for name, folders, environment in (
        ("plain", plain, {"NUMBA_DISABLE_JIT": "1", "TOCSIN_TEST_SECONDS": str(MAP_SECONDS)}),
        ("native", native, {}),
    ):
        data = worker.root / f".coverage-{name}"
        covered = [f"--cov={folder}" for folder in AREAS.values()]
        run = worker.test(
            [*_MEASURED, "--cov-context=test", "--cov-report=", *covered, *folders],
            _PATIENCE,
            {
                **environment,
                "TOCSIN_MEASURE": str(worker.root / ".lines.json"),
                "COVERAGE_FILE": str(data),
            },
        )
        (STORE / f"lines-{name}.log").write_text(run.output)
        _add(found, data, worker.root)
    return found


def _add(found: Lines, data: Path, root: Path) -> None:
    """What one run of coverage saw."""
    coverage = CoverageData(str(data))
    coverage.read()
    for path in coverage.measured_files():
        lines = found.setdefault(str(Path(path).relative_to(root)), {})
        for line, contexts in coverage.contexts_by_lineno(path).items():
            tests = {context.partition("|")[0] for context in contexts if context}
            lines[line] = sorted({*lines.get(line, ()), *tests})
