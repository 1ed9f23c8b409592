"""Contenders whose Python programs submit a job to Flink: PyFlink, and Beam per record."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders.contender import Run
from benchmarks.contenders.environments import PYFLINK, Environment
from benchmarks.flink import checkpoint_summary, flink_cluster, measured, program, running
from benchmarks.measuring import Cost
from benchmarks.topics import BROKER
from benchmarks.work import Verdict, Work, cleared, verdict
from infra.cluster.download import fetch_sql
from infra.cluster.settings import Cluster
from tocsin.flink.code_archive import pack


@dataclass
class _Session:
    contender: FlinkProgram
    cluster: Cluster
    work: Work
    backend: str
    brokers: str

    def run(self, is_cold: bool) -> Run:
        answer = cleared(self.cluster.folder / "answer")
        cost, job = self._job(str(answer) if self.contender.reads_on else "")
        return Run(
            self.contender.name,
            self.work.name,
            "",
            self.backend,
            is_cold,
            self.work.readings.count,
            cost,
            job,
        )

    def check(self, folder: Path) -> Verdict:
        output = cleared(folder / "answer")
        self._job(str(output))
        names = ["minute", "sensor_id", "metric", "readings", "total", "least", "most"]
        columns = ", ".join(f"column{at} as {name}" for at, name in enumerate(names))
        files = f"{output}/**/part-*" if output.is_dir() else str(output)
        found = f"select {columns} from read_csv('{files}', header=false)"
        if output.is_dir():
            found = f"select epoch_ms(minute::timestamp) as minute, * exclude minute from ({found})"
        return verdict(self.work, found)

    def _job(self, answer: str) -> tuple[Cost, dict[str, Any]]:
        readings = self.work.readings
        arguments = [
            self.brokers,
            self.work.topic,
            str(readings.partitions),
            str(readings.messages + readings.partitions),
            self.work.schema,
            answer,
        ]
        command = [str(self.contender.python), self.contender.user_files[0], *arguments]
        jars = [
            *fetch_sql(BROKER).glob("*.jar"),
            *self.cluster.jars_flink.glob("opt/flink-python-*.jar"),
        ]
        environment = {
            **self.cluster.environment(),
            "FLINK_REST": self.cluster.at("flink_rest"),
            "TOCSIN_CODE": str(pack(self.cluster.folder)),
            "FLINK_JARS": ";".join(f"file://{jar}" for jar in jars),
            "PATH": f"{self.contender.python.parent}:/usr/bin:/bin",
            # PyFlink would run the functions in the client, which has ended.
            "_python_worker_execution_mode": "process",
        }
        _, expected = self.work.results()

        def is_done() -> bool:
            lines = Path(answer).read_bytes().count(b"\n") if Path(answer).exists() else 0
            return lines > expected

        log = self.cluster.folder / "client.log"
        cost, job = measured(
            self.cluster,
            lambda: program(command, environment, log),
            is_done if self.contender.reads_on else None,
        )
        return cost, checkpoint_summary(self.cluster, job["jid"])


@dataclass(frozen=True)
class FlinkProgram:
    """A program that submits a job.

    most: the readings that it gets; more would take too long. environment: its own, or None for
    ours. reads_on: whether its job has no end, so that the harness waits for all results.
    """

    name: str
    user_files: tuple[str, ...]
    environment: Environment | None = None
    most: int = 300_000
    reads_on: bool = False
    has_cold_runs: bool = True

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.environment is None else self.environment.python

    def can(self, work: Work) -> bool:
        return work.kind == "tumbling" and work.readings.count <= self.most

    def details(self) -> Iterator[str]:
        yield ""

    @contextmanager
    def up(self, work: Work, detail: str, backend: str, brokers: str) -> Iterator[_Session]:
        if self.environment is not None:
            self.environment.fetch()
        libraries = None if self.environment is None else fetch_sql(BROKER)
        with running(
            flink_cluster("programs", libraries=libraries, state_backend=backend)
        ) as cluster:
            yield _Session(self, cluster, work, backend, brokers)


FLINK_PROGRAMS = {
    "beam": FlinkProgram(
        "Beam Python, a record at a time",
        ("benchmarks/programs/per_record_beam.py",),
        reads_on=True,
    ),
    "pyflink-scalar": FlinkProgram(
        "PyFlink, Python scalar function",
        ("benchmarks/programs/pyflink_scalar.py",),
        PYFLINK,
        most=3_000_000,
    ),
    "pyflink-aggregate": FlinkProgram(
        "PyFlink, Python aggregate function", ("benchmarks/programs/pyflink_aggregate.py",), PYFLINK
    ),
}
