"""A source whose event times are mostly outside 2000 to 2100 warns once, with the likely unit."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow as pa
import pytest

from tocsin.engines.beam import running
from tocsin.engines.reading.time_range_watch import SOURCE_LOG, TimeRangeWatch
from tocsin.kernels.time.event_times import event_micros

SECOND = 1_772_445_600


def warnings(caplog: Any, column: Any, unit: str | None, batches: int = 1) -> list[str]:
    watch = TimeRangeWatch("Read", "at", unit)
    for _ in range(batches):
        watch.add(column, event_micros(column, unit))
    watch.judge()
    watch.judge()
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("column", "unit", "sentence"),
    [
        (
            pa.array([SECOND] * 3),
            "milliseconds",
            "such as 1970-01-21; 'at' seems to hold seconds, not milliseconds",
        ),
        (
            pa.array([SECOND * 10**9] * 3),
            "milliseconds",
            "'at' seems to hold nanoseconds, not milliseconds",
        ),
        (
            pa.array([SECOND * 1000] * 3, pa.timestamp("us", "UTC")),
            None,
            "1,000 times too small, such as seconds read as milliseconds",
        ),
        (pa.array(["1970-01-01T00:00:00Z"]), None, "check the unit and the clock of 'at'"),
    ],
)
def test_times_far_from_now_are_reported(
    caplog: Any, column: Any, unit: str | None, sentence: str
) -> None:
    found = warnings(caplog, column, unit, batches=600)
    assert len(found) == 1
    assert found[0].startswith("Read: most event times lie outside the years 2000 to 2100")
    assert sentence in found[0]


def test_a_few_such_times_are_not_reported(caplog: Any) -> None:
    assert warnings(caplog, pa.array([SECOND, SECOND, 1, None]), "seconds") == []
    assert warnings(caplog, pa.array([], pa.int64()), "seconds") == []


def test_the_command_shows_what_a_source_finds(monkeypatch: Any) -> None:
    monkeypatch.setattr(running, "drop_beam_records", lambda: None)
    names = ("apache_beam", "tocsin", SOURCE_LOG)
    before = [logging.getLogger(name).level for name in names]
    try:
        running.quiet_beam()
        assert logging.getLogger(SOURCE_LOG).isEnabledFor(logging.WARNING)
        assert not logging.getLogger("tocsin.kafka").isEnabledFor(logging.ERROR)
    finally:
        for name, level in zip(names, before, strict=True):
            logging.getLogger(name).setLevel(level)
