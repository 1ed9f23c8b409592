"""Beam metrics of a step: rows by fate, work, and the progress of each split."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter

from tocsin.foundation.ledger import COUNTS, Ledger

NAMESPACE = "tocsin"

# In addition to the ledger's counts: batches, microseconds of work on them, rows that a stateful
# step emitted (`given`), and alarm events.
WORK = ("batches", "busy", "given", "alarms")


class StepCounter:
    """Counts the rows of one step for the ledger (COUNTS), and its work."""

    def __init__(self, step: str) -> None:
        self.step = step
        self._counters = {
            name: Metrics.counter(NAMESPACE, f"{step}|{name}") for name in (*COUNTS, *WORK)
        }
        self._is_new = True

    def add(self, **counts: int) -> None:
        """Add to counts of the ledger (`COUNTS`, `REASONS`), `given` or `alarms`."""
        if self._is_new:
            # Flink keeps showing the previous attempt's counter until this attempt reports one.
            for counter in self._counters.values():
                counter.inc(0)
            self._is_new = False
        for name, count in counts.items():
            if count:
                if name not in self._counters:
                    self._counters[name] = Metrics.counter(NAMESPACE, f"{self.step}|{name}")
                self._counters[name].inc(count)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a batch and the microseconds of work on it."""
        began = time.perf_counter_ns()
        yield
        self._counters["batches"].inc()
        self._counters["busy"].inc((time.perf_counter_ns() - began) // 1000)


class SplitGauges:
    """The progress of one split, as gauges.

    position: the next offset. lag: unread messages. watermark: milliseconds since 1970.
    """

    def __init__(self, step: str, partition: int) -> None:
        self._gauges = {
            name: Metrics.gauge(NAMESPACE, f"{step}|{partition}|{name}")
            for name in ("position", "lag", "watermark")
        }

    def set(self, **values: int | None) -> None:
        """Set gauges by name. A gauge whose value is None keeps its last value."""
        for name, value in values.items():
            if value is not None:
                self._gauges[name].set(value)


def ledger_of(result: Any) -> Ledger:
    """The ledger of a run, from its committed counters, or attempted ones where none committed."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    return Ledger.of(_counts(found["counters"]))


def _counts(counters: Any) -> Iterator[tuple[str, str, int]]:
    for metric in counters:
        step, _, name = metric.key.metric.name.rpartition("|")
        value = metric.committed if metric.committed is not None else metric.attempted
        yield step, name, int(value or 0)
