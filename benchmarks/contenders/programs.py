"""Contenders in one process: Tocsin's local runner, other Python libraries, a bare loop."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.contender import Run
from benchmarks.contenders.environments import PEERS
from benchmarks.measuring import Cost, command
from benchmarks.topics import BROKER
from benchmarks.work import Verdict, Work, cleared, job_of, lake_query, verdict

# The output of a program.
LOG = BROKER.folder / "program.log"


@dataclass
class _Session:
    contender: Program
    work: Work
    brokers: str

    def run(self, is_cold: bool) -> Run:
        cost = self.contender.start(self.work, self.brokers, None)
        return Run(
            self.contender.name,
            self.work.name,
            "",
            "memory",
            is_cold,
            self.work.readings.count,
            cost,
        )

    def check(self, folder: Path) -> Verdict:
        answer = cleared(folder / "answer")
        answer.mkdir()
        self.contender.start(self.work, self.brokers, answer)
        return verdict(self.work, self.contender.query(answer))


@dataclass(frozen=True)
class Program:
    """A complete Python program of a user.

    It gets brokers, topic, partitions, messages, schema and the file for the answer. most: the
    readings that it gets; more would take too long. kinds: the kinds of work that it can do.
    """

    name: str
    user_files: tuple[str, ...]
    python: Path = Path(sys.executable)
    most: int = 12_000_000
    kinds: tuple[str, ...] = ("tumbling",)
    has_cold_runs: bool = False

    def can(self, work: Work) -> bool:
        return work.kind in self.kinds and work.readings.count <= self.most

    def details(self) -> Iterator[str]:
        yield ""

    @contextmanager
    def up(self, work: Work, detail: str, backend: str, brokers: str) -> Iterator[_Session]:
        if PEERS.python == self.python:
            PEERS.fetch()
        yield _Session(self, work, brokers)

    def start(self, work: Work, brokers: str, answer: Path | None) -> Cost:
        readings = work.readings
        arguments = [
            brokers,
            work.topic,
            str(readings.partitions),
            str(readings.messages + readings.partitions),
            work.schema,
        ]
        output = str(answer / "answer.parquet") if answer else ""
        return command([str(self.python), self.user_files[0], *arguments, output], {}, LOG)

    def query(self, answer: Path) -> str:
        return f"select * from read_parquet('{answer}/answer.parquet')"


@dataclass(frozen=True)
class TocsinLocal(Program):
    """`tocsin run` on Beam's local runner: to the end of the topic."""

    def start(self, work: Work, brokers: str, answer: Path | None) -> Cost:
        environment = {
            "TOCSIN_BROKERS": brokers,
            "BENCH_TOPIC": work.topic,
            "LAKE": str(answer or BROKER.folder / "lake"),
            "TOCSIN_ALLOW_FOLDERS": str(answer or BROKER.folder / "lake"),
        }
        job = job_of(work, lake=answer is not None)
        run = [sys.executable, "-m", "tocsin", "run", job, "--runner", "direct"]
        return command(run, environment, LOG)

    def query(self, answer: Path) -> str:
        return lake_query(answer)


PROGRAMS = {
    "local": TocsinLocal(
        "Tocsin on the local runner",
        ("benchmarks/jobs/tumbling.yaml",),
        kinds=("tumbling", "sliding", "edge"),
    ),
    "bare": Program(
        "Bare loop, no framework", ("benchmarks/programs/bare_loop.py",), kinds=("tumbling", "edge")
    ),
    "bytewax": Program(
        "Bytewax, a message at a time",
        ("benchmarks/programs/bytewax_per_record.py",),
        PEERS.python,
        most=300_000,
    ),
    "bytewax-batches": Program(
        "Bytewax, batches written by hand",
        ("benchmarks/programs/bytewax_batches.py",),
        PEERS.python,
    ),
    "quix": Program(
        "Quix Streams", ("benchmarks/programs/quix_streams.py",), PEERS.python, most=300_000
    ),
}
