"""The ledger of a run: how many rows each step read, and what became of them."""

from __future__ import annotations

from typing import Any

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter

from tocsin.parts.ledger import FATES, Ledger, StepCount

NAMESPACE = "tocsin"


class StepCounter:
    """Counts the rows of one step by fate: read, kept, late, rejected, filtered."""

    def __init__(self, step: str) -> None:
        self.step = step
        self._counters = {fate: Metrics.counter(NAMESPACE, f"{step}|{fate}") for fate in FATES}

    def add(self, **counts: int) -> None:
        """Add rows, by fate."""
        for fate, count in counts.items():
            if count:
                self._counters[fate].inc(count)


class SplitGauges:
    """Where reading stands in one split: the newest values, by which lag is seen.

    position: the next offset. lag: messages not yet read. watermark: milliseconds since 1970.
    """

    def __init__(self, step: str, partition: int) -> None:
        self._gauges = {name: Metrics.gauge(NAMESPACE, f"{step}|{partition}|{name}") for name in ("position", "lag", "watermark")}

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
        value = metric.committed if metric.committed is not None else metric.attempted
        steps.setdefault(step, {})[fate] = steps.get(step, {}).get(fate, 0) + int(value or 0)
    return Ledger({step: StepCount(**counts) for step, counts in steps.items()})
