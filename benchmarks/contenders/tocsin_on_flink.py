"""Tocsin's job on a Flink, submitted as a user would."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Run
from benchmarks.flink import checkpoint_summary, flink_cluster, given, measured, program, running
from benchmarks.measuring import Cost
from benchmarks.work import Verdict, Work, cleared, job_of, lake_query, verdict
from infra.cluster.settings import Cluster


@dataclass
class _Session:
    contender: TocsinOnFlink
    cluster: Cluster
    work: Work
    detail: str
    backend: str
    brokers: str

    def run(self, is_cold: bool) -> Run:
        cost, job = self._job(False, self.cluster.folder / "lake")
        return Run(self.contender.name, self.work.name, self.detail, self.backend, is_cold, self.work.readings.count, cost, job)

    def check(self, folder: Path) -> Verdict:
        lake = cleared(folder / "answer")
        self._job(True, lake)
        return verdict(self.work, lake_query(lake))

    def _job(self, is_checked: bool, lake: Path) -> tuple[Cost, dict[str, Any]]:
        parallelism = self.detail.removeprefix("parallelism ")
        expected = self.work.windows()
        environment = {
            **self.cluster.environment(), "TOCSIN_BROKERS": self.brokers, "BENCH_TOPIC": self.work.topic, "LAKE": str(lake),
        }  # fmt: skip
        command = [sys.executable, "-m", "tocsin", "submit", job_of(self.work, is_checked), "--parallelism", parallelism]

        def is_done() -> bool:
            if given(self.cluster, "Aggregate") < expected:
                return False
            if is_checked:
                # The files follow the results.
                time.sleep(20)
            return True

        cost, told = measured(self.cluster, lambda: program(command, environment, self.cluster.folder / "submit.log"), is_done)
        return cost, checkpoint_summary(self.cluster, told["jid"])


@dataclass(frozen=True)
class TocsinOnFlink:
    """parallelisms: that are tried."""

    parallelisms: tuple[int, ...] = (1, 2)
    name: str = "Tocsin on Flink"
    user_files: tuple[str, ...] = ("benchmarks/jobs/tumbling.yaml",)
    has_cold_runs: bool = True

    def can(self, work: Work) -> bool:
        return True

    def details(self) -> Iterator[str]:
        yield from (f"parallelism {count}" for count in self.parallelisms)

    @contextmanager
    def up(self, work: Work, detail: str, backend: str, brokers: str) -> Iterator[_Session]:
        with running(flink_cluster("flink", state_backend=backend)) as cluster:
            yield _Session(self, cluster, work, detail, backend, brokers)
