"""Counts of a run by step: rows by fate for the ledger, and work."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from tocsin.foundation.ledger import Ledger

BUSY = "busy"
"""Name of the count of microseconds that a step has worked."""


class Counts:
    """Counts by step and name. They only rise; a checkpoint keeps them."""

    def __init__(self, known: dict[str, dict[str, int]] | None = None) -> None:
        self._steps: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for step, counts in (known or {}).items():
            self._steps[step].update(counts)

    def add(self, step: str, **counts: int) -> None:
        """Add to counts of a step."""
        known = self._steps[step]
        for name, count in counts.items():
            if count:
                known[name] += count

    @contextmanager
    def at_work(self, step: str) -> Iterator[None]:
        """Count the processor time of this thread, in microseconds."""
        began = time.thread_time_ns()
        yield
        self._steps[step][BUSY] += (time.thread_time_ns() - began) // 1000

    def by_step(self) -> dict[str, dict[str, int]]:
        """All counts, as plain values."""
        return {step: dict(counts) for step, counts in self._steps.items()}

    def ledger(self, names: list[str]) -> Ledger:
        """The ledger of the named steps, in that order."""
        found = (
            (step, name, count)
            for step, counts in self.by_step().items()
            for name, count in counts.items()
        )
        return Ledger.of(found).in_order(names)
