"""Counters of a step become its line in the ledger."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pytest

from tocsin.engines.beam.operators.metrics import WORK, SplitGauges, StepCounter, ledger_of
from tocsin.engines.beam.running import local_pipeline
from tocsin.foundation.ledger import COUNTS, Ledger, StepCount


class Count(beam.DoFn):  # type: ignore[misc]
    """Counts each element as a batch of that many rows; odd ones are late."""

    def setup(self) -> None:
        self.counter = StepCounter("Numbers")
        self.gauges = SplitGauges("Numbers", 3)

    def process(self, rows: int) -> None:
        with self.counter.at_work():
            fate = "late" if rows % 2 else "kept"
            self.counter.add(read=rows, given=2, late_for_some=1, **{fate: rows})
        self.gauges.set(position=rows, lag=None)


@pytest.fixture(scope="module")
def result() -> Any:
    pipeline = local_pipeline()
    _ = pipeline | beam.Create([2, 3, 5, 10]) | beam.ParDo(Count())
    found = pipeline.run()
    found.wait_until_finish()
    return found


def test_the_ledger_sums_rows_by_fate(result: Any) -> None:
    assert ledger_of(result) == Ledger({"Numbers": StepCount(20, 12, 8, late_for_some=4)})
    assert ledger_of(result).balances


def test_every_counter_is_reported_even_at_zero(result: Any) -> None:
    counters = result.metrics().query()["counters"]
    names = {counter.key.metric.name for counter in counters}
    assert names >= {f"Numbers|{name}" for name in (*COUNTS, *WORK)}


def test_batches_and_emitted_rows_are_counted_outside_the_ledger(result: Any) -> None:
    values = {
        counter.key.metric.name: counter.result for counter in result.metrics().query()["counters"]
    }
    assert (values["Numbers|batches"], values["Numbers|given"]) == (4, 8)
    assert values["Numbers|busy"] >= 0


def test_only_known_values_of_a_split_are_reported(result: Any) -> None:
    gauges = {gauge.key.metric.name for gauge in result.metrics().query()["gauges"]}
    assert gauges == {"Numbers|3|position"}
