"""A copy of the tree in which tests run, so that no mutant ever touches the checkout."""

from __future__ import annotations

import compileall
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TypeVar

from tests.mutation.mutants import Mutant

Item = TypeVar("Item")
Result = TypeVar("Result")
ROOT = Path(__file__).parents[2]
STORE = ROOT / ".mutants"
# Seconds by the clock for a run that waits and uses no processor.
_PATIENCE = 300.0
# How the system ends a process whose seconds are over.
_OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)


@dataclass(frozen=True)
class Run:
    """How a run of pytest ended. code: None if it ran out of time."""

    code: int | None
    output: str


class Worker:
    """One copy of the tree."""

    def __init__(self, number: int) -> None:
        self.root = STORE / f"worker-{number}"
        shutil.rmtree(self.root, ignore_errors=True)
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        # Times of files would take a mutant of the same second and size for the original.
        checked = PycInvalidationMode.CHECKED_HASH
        for folder in ("tocsin", "transforms", "tests"):
            compileall.compile_dir(self.root / folder, quiet=2, invalidation_mode=checked)

    def test(
        self,
        arguments: list[str],
        seconds: float,
        environment: dict[str, str] | None = None,
    ) -> Run:
        """Run pytest in the copy for some seconds of the processor.

        The copies share machine code, which is kept by what the sources of a mutant say.
        """
        cache = STORE / "machine-code"
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
                cwd=self.root,
                env={
                    **os.environ,
                    "PYTHONPATH": str(self.root),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "NUMBA_CACHE_DIR": str(cache),
                    **(environment or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            limit = round(seconds) + 1
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (limit, limit))
            try:
                code: int | None = process.wait(_PATIENCE + 5 * seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
            output.seek(0)
            return Run(None if code in _OUT_OF_TIME else code, output.read())

    def test_mutant(self, mutant: Mutant, tests: list[str], seconds: float) -> Run:
        """Run tests, in their order and until one fails, on a mutant."""
        file = self.root / mutant.path
        original = file.read_bytes()
        chosen = self.root / ".chosen-tests"
        chosen.write_text("\n".join(tests))
        file.write_text(mutant.source, "utf-8")
        try:
            return self.test(["-x", "--tb=line", f"@{chosen.name}"], seconds)
        finally:
            file.write_bytes(original)


def share(
    workers: list[Worker], work: Callable[[Worker, Item], Result], items: list[Item]
) -> list[Result]:
    """The results of all items, each worked on in a copy that is free."""
    free: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        free.put(worker)

    def one(item: Item) -> Result:
        worker = free.get()
        try:
            return work(worker, item)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(one, items))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
