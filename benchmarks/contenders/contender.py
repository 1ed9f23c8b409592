"""What the harness asks of a contender."""

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
    """One run. detail: aggregation phase, parallelism. backend: of its state. is_cold: the first after its processes began."""

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
    """A contender that is up."""

    def run(self, is_cold: bool) -> Run:
        """Do the work once."""

    def check(self, folder: Path) -> Verdict:
        """Do it once more with its results written down, and compare them."""


class Contender(Protocol):
    """name: in the report. user_files: what a user writes for this job. has_cold_runs: whether its processes outlive a job."""

    @property
    def name(self) -> str: ...

    @property
    def user_files(self) -> tuple[str, ...]: ...

    @property
    def has_cold_runs(self) -> bool: ...

    def can(self, work: Work) -> bool:
        """Whether it knows this kind of work, and can do so much of it."""

    def details(self) -> Iterator[str]:
        """Its ways to do the work, of which the best counts."""

    def up(
        self, work: Work, detail: str, backend: str, brokers: str
    ) -> AbstractContextManager[Session]:
        """Start what it runs on."""
