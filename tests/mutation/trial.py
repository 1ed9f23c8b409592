"""What the tests make of each mutant of a sample."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tests.mutation.mutants import Mutant
from tests.mutation.selection import Selection
from tests.mutation.worker import Worker, share

Outcome = Literal["killed", "out of time", "survived", "not run"]
# Seconds added to three times the measured time of the tests, because Numba compiles afresh.
_COMPILING = 90.0


@dataclass(frozen=True)
class Trial:
    """A mutant and its end. killer: the test that failed. not run: no test runs its line."""

    mutant: Mutant
    outcome: Outcome
    tests: int
    killer: str
    seconds: float

    @property
    def is_killed(self) -> bool:
        """Whether tests noticed. An endless loop is noticed."""
        return self.outcome in ("killed", "out of time")


class Broken(Exception):
    """The tests fail without a mutant."""


def check_unchanged(worker: Worker, selection: Selection) -> None:
    """The quickest tests pass in a copy. Raises Broken."""
    tests = sorted(selection.seconds, key=lambda test: selection.seconds[test])[:50]
    (worker.root / ".chosen-tests").write_text("\n".join(tests))
    run = worker.test(["-x", "@.chosen-tests"], _COMPILING)
    if run.code != 0:
        raise Broken(run.output[-2000:])


def try_all(
    mutants: list[Mutant], workers: list[Worker], selection: Selection, say: Callable[[str], None]
) -> list[Trial]:
    """Every mutant in a copy that is free."""

    def one(worker: Worker, mutant: Mutant) -> Trial:
        found = try_one(mutant, worker, selection)
        say(f"{found.outcome:12} {found.seconds:6.1f} s  {mutant.path}:{mutant.line}  "
            f"{mutant.before[:40]} -> {mutant.after[:40]}")  # fmt: skip
        return found

    return share(workers, one, mutants)


def try_one(mutant: Mutant, worker: Worker, selection: Selection) -> Trial:
    """One mutant in one copy."""
    tests = selection.tests_of(mutant)
    if not tests:
        return Trial(mutant, "not run", 0, "", 0.0)
    began = time.monotonic()
    limit = _COMPILING + 3 * sum(selection.seconds[test] for test in tests)
    run = worker.test_mutant(mutant, tests, limit)
    seconds = time.monotonic() - began
    if run.code is None:
        return Trial(mutant, "out of time", len(tests), "", seconds)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", run.output, re.MULTILINE)
    killer = failed.group(1) if failed else "" if run.code == 0 else "import"
    return Trial(mutant, "survived" if run.code == 0 else "killed", len(tests), killer, seconds)


def save(trials: list[Trial], file: Path) -> None:
    """As JSON."""
    rows = [{**asdict(trial), "mutant": {**asdict(trial.mutant), "source": ""}} for trial in trials]
    file.write_text(json.dumps(rows, indent=1))


def load(file: Path) -> list[Trial]:
    """What `save` wrote."""
    return [
        Trial(**{**row, "mutant": Mutant(**row["mutant"])}) for row in json.loads(file.read_text())
    ]
