"""Native Flink SQL: a tumbling window TVF over the Kafka connector, with object reuse."""

from __future__ import annotations

import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Run
from benchmarks.flink import checkpoint_summary, flink_cluster, measured, program, running
from benchmarks.measuring import Cost
from benchmarks.topics import BROKER
from benchmarks.work import Verdict, Work, cleared, verdict
from infra.cluster.download import fetch_sql
from infra.cluster.processes import JAVA_17
from infra.cluster.settings import ROOT, Cluster

_MINI_BATCH = {
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "50000",
}


@dataclass
class _Session:
    contender: FlinkSql
    cluster: Cluster
    libraries: Path
    work: Work
    detail: str
    backend: str
    brokers: str

    def run(self, is_cold: bool) -> Run:
        cost, job = self._job("'connector' = 'blackhole'")
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
        output = cleared(folder / "answer")
        self._job(f"'connector' = 'filesystem', 'path' = 'file://{output}', 'format' = 'csv'")
        names = ("start", "sensor_id", "metric", "readings", "total", "least", "most")
        columns = ", ".join(f"column{at} as {name}" for at, name in enumerate(names))
        return verdict(
            self.work,
            f"select epoch_ms(start::timestamp) as minute, * exclude start from (select {columns} "
            f"from read_csv('{output}/**/part-*', header=false))",
        )

    def _job(self, sink: str) -> tuple[Cost, dict[str, Any]]:
        settings = {
            "execution.runtime-mode": "streaming",
            "pipeline.object-reuse": "true",
            "execution.checkpointing.interval": "1 s",
            "table.local-time-zone": "UTC",
            **options(self.detail),
        }
        text = "".join(f"SET '{name}' = '{value}';\n" for name, value in settings.items())
        statements = string.Template(
            (ROOT / f"benchmarks/programs/{self.work.kind}.sql").read_text()
        )
        script = self.cluster.folder / "job.sql"
        script.write_text(
            text + statements.substitute(topic=self.work.topic, brokers=self.brokers, sink=sink)
        )
        jars = f"{self.cluster.jars_flink}/lib/*:{self.cluster.jars_flink}/opt/*:{self.libraries}/*"
        command = [
            "java",
            *JAVA_17,
            "-cp",
            jars,
            "benchmarks/contenders/SqlRunner.java",
            str(script),
        ]
        environment = {"FLINK_CONF_DIR": str(self.cluster.folder / "conf")}
        cost, job = measured(
            self.cluster, lambda: program(command, environment, self.cluster.folder / "client.log")
        )
        return cost, checkpoint_summary(self.cluster, job["jid"])


def options(detail: str) -> dict[str, str]:
    """Flink's settings for a way to do the work, by its name in `details`."""
    phase, batch, parallelism = detail.split(", ")
    found = {
        "table.optimizer.agg-phase-strategy": {"one-phase": "ONE_PHASE", "two-phase": "TWO_PHASE"}[
            phase
        ],
        "parallelism.default": parallelism.removeprefix("parallelism "),
    }
    return found | (_MINI_BATCH if batch == "mini-batch" else {})


@dataclass(frozen=True)
class FlinkSql:
    """Native Flink SQL; the best of its ways counts."""

    parallelisms: tuple[int, ...] = (1, 2)
    name: str = "Flink SQL"
    user_files: tuple[str, ...] = ("benchmarks/programs/tumbling.sql",)
    has_cold_runs: bool = True

    def can(self, work: Work) -> bool:
        return work.has_answer and work.readings.count >= 1_000_000

    def details(self) -> Iterator[str]:
        for parallelism in self.parallelisms:
            for phase in ("one-phase", "two-phase"):
                for batch in ("no mini-batch", "mini-batch"):
                    yield f"{phase}, {batch}, parallelism {parallelism}"

    @contextmanager
    def up(self, work: Work, detail: str, backend: str, brokers: str) -> Iterator[_Session]:
        libraries = fetch_sql(BROKER)
        with running(flink_cluster("sql", libraries=libraries, state_backend=backend)) as cluster:
            yield _Session(self, cluster, libraries, work, detail, backend, brokers)
