"""A process that has imported Tocsin and forks a trial for each request: a start costs seconds.

It reads requests as lines of JSON and answers each with the peak memory of its trial in kB, and
whether the trial ran out of time. It runs no job itself, so no thread of it holds a lock at a fork.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.hostile.trial import run_trial
from tests.support.packages import ROOT

VERBS = ("check", "plan", "test", "run", "submit")
WARMING_UP = """pipeline:
  type: chain
  transforms:
    - {{type: ReadFiles, config: {{files: readings.parquet, event_time: observed_at}}}}
    - {{type: Enrich, config: {{table: sensors.csv, by: [sensor_id]}}}}
    - {{type: Locate, config: {{areas: districts.geojson, add: {{district: name}}}}}}
    - {{type: Derive, config: {{columns: {{more: 'value * 2'}}}}}}
    - {{type: Aggregate, config: {{every: 1 min, by: [sensor_id], measures: {{m: mean(value)}}}}}}
    - {{type: Detect, config: {{of: m, by: [sensor_id], with: {{threshold: {{above: 1}}}}}}}}
    - {{type: WriteToLake, config: {{lake: {lake}, dataset: air}}}}
"""


def serve() -> None:
    """Answer requests until the input ends."""
    _import_all()
    answers = os.fdopen(os.dup(1), "w")
    answers.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_the_trial(request)
        answers.write(json.dumps(_waited(child, request["seconds"])) + "\n")
        answers.flush()


def _import_all() -> None:
    """Import what a job needs: one runs in a child, which says what it has imported."""
    for verb in VERBS:
        importlib.import_module(f"tocsin.cli.{verb}_verb")
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "modules")
        child = os.fork()
        if child == 0:
            _run_a_job(Path(folder), names)
        os.waitpid(child, 0)
        for name in names.read_text("utf-8").split():
            with suppress(ImportError):
                importlib.import_module(name)


def _run_a_job(folder: Path, names: Path) -> None:
    from tests.hostile.world import World

    world = World(folder / "world", folder)
    (world.project / "job.yaml").write_text(WARMING_UP.format(lake=world.project / "lake"), "utf-8")
    verbs = [("run", ["job.yaml"]), ("submit", ["job.yaml"])]
    try:
        run_trial(
            {
                "folder": str(world.project),
                "results": str(world.results),
                "environment": {"TOCSIN_FLINK": "http://127.0.0.1:9"},
                "verbs": verbs,
            }
        )
        names.write_text("\n".join(sorted(sys.modules)), "utf-8")
    finally:
        os._exit(0)


def _be_the_trial(request: dict[str, Any]) -> None:
    os.setsid()
    try:
        run_trial(request)
    finally:
        os._exit(0)


def _waited(child: int, seconds: float) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            return {"status": status, "memory": used.ru_maxrss, "is_late": False}
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
            return {"status": status, "memory": used.ru_maxrss, "is_late": True}
        time.sleep(0.005)


class Zygote:
    """A connection to such a process. `memory`: kB that it holds before a trial."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.memory = int(self._answer())

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one trial; see `run_trial` for the request."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._answer())
        return answer

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the zygote has ended")
        return line


@contextmanager
def zygote(environment: dict[str, str]) -> Iterator[Zygote]:
    """A zygote with more variables in its environment, which /proc/self/environ shows too."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.zygote"],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Zygote(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


if __name__ == "__main__":
    serve()
