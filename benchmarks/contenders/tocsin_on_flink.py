"""Tocsin's job on Flink, submitted as a user submits it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Run
from benchmarks.flink import checkpoint_summary, counted, flink_cluster, measured, program, running
from benchmarks.measuring import Cost
from benchmarks.topics import CITY_REGISTRY
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
        return Run(
            self.contender.name,
            self.work.name,
            self.detail,
            self.backend,
            is_cold,
            self.work.readings.count,
            cost,
            job,
        )

    def check(self, folder: Path) -> Verdict:
        lake = cleared(folder / "answer")
        if not self.work.has_answer:
            read, emitted = self._counts
            return Verdict(read - emitted, 0)
        self._job(True, lake)
        return verdict(self.work, lake_query(lake))

    def _job(self, is_checked: bool, lake: Path) -> tuple[Cost, dict[str, Any]]:
        parallelism = self.detail.removeprefix("parallelism ")
        environment = {
            **self.cluster.environment(),
            "TOCSIN_BROKERS": self.brokers,
            "BENCH_TOPIC": self.work.topic,
            "LAKE": str(lake),
            "TOCSIN_ALLOW_FOLDERS": f"{lake}:{CITY_REGISTRY.parent}",
            "AIR_TOPIC": self.work.topic,
            "AIR_REGISTRY": str(CITY_REGISTRY),
        }
        command = [
            sys.executable,
            "-m",
            "tocsin",
            "submit",
            job_of(self.work, is_checked),
            "--parallelism",
            parallelism,
        ]
        log = self.cluster.folder / "submit.log"
        cost, job = measured(
            self.cluster, lambda: program(command, environment, log), self._is_done_of(is_checked)
        )
        return cost, checkpoint_summary(self.cluster, job["jid"])

    def _is_done_of(self, is_checked: bool) -> Callable[[], bool]:
        step, expected = self.work.results()
        last = [-1, -1]

        def is_done() -> bool:
            emitted = counted(self.cluster, step)
            if expected:
                is_all = emitted >= expected
            else:
                # Everything is read, and the step emits no more rows.
                read = counted(self.cluster, "ReadTelemetry", "read")
                is_all = read >= self.work.readings.messages * 49 // 50 and [read, emitted] == last
                last[:] = read, emitted
            self._counts = (
                (self.work.readings.messages, min(emitted, self.work.readings.messages))
                if expected
                else (0, 0)
            )
            if is_all and is_checked:
                # The files are written after the results.
                time.sleep(20)
            return is_all

        return is_done


@dataclass(frozen=True)
class TocsinOnFlink:
    """Tocsin on Flink. parallelisms: the ones to try."""

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
