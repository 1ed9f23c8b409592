"""What the harness requires of a contender."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.measuring import Cost
from benchmarks.work import Verdict, Work


@dataclass(frozen=True)
class Run:
    """One run.

    detail: aggregation phase, parallelism. backend: state backend. is_cold: the first run of new
    processes.
    """

    contender: str
    work: str
    detail: str
    backend: str
    is_cold: bool
    readings: int
    cost: Cost
    checkpoints: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Readings per processor second of the processes that do the work."""
        return self.readings / self.cost.engine


class Session(Protocol):
    """A running contender."""

    def run(self, is_cold: bool) -> Run:
        """Do the work once."""

    def check(self, folder: Path) -> Verdict:
        """Do the work once more, write the results and compare them."""


class Contender(Protocol):
    """A system that does the work."""

    @property
    def name(self) -> str:
        """Its name in the report."""
        ...

    @property
    def user_files(self) -> tuple[str, ...]:
        """The files that a user writes for this job."""
        ...

    @property
    def has_cold_runs(self) -> bool:
        """Whether its processes outlive a job."""
        ...

    def can(self, work: Work) -> bool:
        """Whether it can do this kind and amount of work."""

    def details(self) -> Iterator[str]:
        """Its ways to do the work; the best counts."""

    def up(
        self, work: Work, detail: str, backend: str, brokers: str
    ) -> AbstractContextManager[Session]:
        """Start the processes that it runs on."""
