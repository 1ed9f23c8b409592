"""Contenders that are one process: Tocsin on the local runner, and the bare loop."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.contender import Run
from benchmarks.measuring import Cost, command
from benchmarks.topics import BROKER
from benchmarks.work import Verdict, Work, lake_query, verdict

LOCAL_JOB = "benchmarks/jobs/tumbling.yaml"


@dataclass
class _Local:
    contender: TocsinLocal
    work: Work
    brokers: str

    def run(self, is_cold: bool) -> Run:
        cost = self._job(LOCAL_JOB, BROKER.folder / "lake")
        return Run(self.contender.name, self.work.name, "", "memory", is_cold, self.work.readings.messages, cost)

    def check(self, folder: Path) -> Verdict:
        shutil.rmtree(folder / "lake", ignore_errors=True)
        self._job("benchmarks/jobs/tumbling_lake.yaml", folder / "lake")
        return verdict(self.work.readings, lake_query(folder / "lake"))

    def _job(self, job: str, lake: Path) -> Cost:
        environment = {"TOCSIN_BROKERS": self.brokers, "BENCH_TOPIC": self.work.topic, "LAKE": str(lake)}
        return command([sys.executable, "-m", "tocsin", "run", job], environment, BROKER.folder / "local.log")


@dataclass(frozen=True)
class TocsinLocal:
    """`tocsin run`."""

    name: str = "Tocsin on the local runner"
    user_files: tuple[str, ...] = (LOCAL_JOB,)
    has_cold_runs: bool = False

    def details(self) -> Iterator[str]:
        yield ""

    @contextmanager
    def up(self, work: Work, detail: str, backend: str, brokers: str) -> Iterator[_Local]:
        yield _Local(self, work, brokers)


@dataclass
class _Script:
    contender: Script
    work: Work
    brokers: str

    def run(self, is_cold: bool) -> Run:
        cost = self._job("")
        return Run(self.contender.name, self.work.name, "", "memory", is_cold, self.work.readings.messages, cost)

    def check(self, folder: Path) -> Verdict:
        output = folder / "answer.parquet"
        output.unlink(missing_ok=True)
        self._job(str(output))
        columns = "value_count_sum as readings, value_sum_sum as total, value_min_min as least, value_max_max as most"
        return verdict(
            self.work.readings, f"select epoch_ms(minute) as minute, sensor_id, metric, {columns} from read_parquet('{output}')"
        )

    def _job(self, answer: str) -> Cost:
        readings = self.work.readings
        arguments = [self.brokers, self.work.topic, str(readings.partitions), str(readings.messages + readings.partitions)]
        program = [self.contender.python, self.contender.user_files[0], *arguments, "benchmarks/reading.avsc", answer]
        return command(program, {}, BROKER.folder / "script.log")


@dataclass(frozen=True)
class Script:
    """A Python program that a user writes whole. It gets brokers, topic, partitions, messages, schema and where to answer."""

    name: str
    user_files: tuple[str, ...]
    python: str = sys.executable
    has_cold_runs: bool = False

    def details(self) -> Iterator[str]:
        yield ""

    @contextmanager
    def up(self, work: Work, detail: str, backend: str, brokers: str) -> Iterator[_Script]:
        yield _Script(self, work, brokers)


BARE_LOOP = Script("Bare loop, no framework", ("benchmarks/contenders/bare_loop.py",))
