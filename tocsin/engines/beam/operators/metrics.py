"""The ledger of a run: how many rows each step read, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter

from tocsin.foundation.ledger import FATES, Ledger, StepCount

NAMESPACE = "tocsin"


# Beside the fates: batches and the microseconds of work on them, rows given by a step with state, alarm events given.
WORK = ("batches", "busy", "given", "alarms")


class StepCounter:
    """Counts the rows of one step by fate (read, kept, late, rejected, filtered), and its work."""

    def __init__(self, step: str) -> None:
        self.step = step
        self._counters = {
            name: Metrics.counter(NAMESPACE, f"{step}|{name}") for name in (*FATES, *WORK)
        }
        self._is_new = True

    def add(self, **counts: int) -> None:
        """Add rows by fate, or `given`, or `alarms`."""
        if self._is_new:
            # Flink goes on to show what an attempt before this one had counted of a fate that this one has not met.
            for counter in self._counters.values():
                counter.inc(0)
            self._is_new = False
        for name, count in counts.items():
            if count:
                self._counters[name].inc(count)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A batch is worked on."""
        began = time.perf_counter_ns()
        yield
        self._counters["batches"].inc()
        self._counters["busy"].inc((time.perf_counter_ns() - began) // 1000)


class SplitGauges:
    """Where reading stands in one split: the newest values, by which lag is seen.

    position: the next offset. lag: messages not yet read. watermark: milliseconds since 1970.
    """

    def __init__(self, step: str, partition: int) -> None:
        self._gauges = {
            name: Metrics.gauge(NAMESPACE, f"{step}|{partition}|{name}")
            for name in ("position", "lag", "watermark")
        }

    def set(self, **values: int | None) -> None:
        """Set what is known."""
        for name, value in values.items():
            if value is not None:
                self._gauges[name].set(value)


def ledger_of(result: Any) -> Ledger:
    """The ledger from the metrics of a finished run."""
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    steps: dict[str, dict[str, int]] = {}
    for metric in found["counters"]:
        step, _, fate = metric.key.metric.name.rpartition("|")
        if fate not in FATES:
            continue
        value = metric.committed if metric.committed is not None else metric.attempted
        steps.setdefault(step, {})[fate] = steps.get(step, {}).get(fate, 0) + int(value or 0)
    return Ledger({step: StepCount(**counts) for step, counts in steps.items()})
