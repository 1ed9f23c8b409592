"""Quality flags equal those of all readings in order; late ones have only tests of one row."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.steps.ordered.test_shift import end_of
from tests.support.streams import (
    SCHEMA,
    SECOND,
    Row,
    Shards,
    batch_of,
    deliveries,
    partitions,
    rows_of,
)
from tocsin.foundation.faults import Faults
from tocsin.kernels import quality_tests
from tocsin.kernels.batch import FOREVER
from tocsin.steps.ordered.quality_control import QualityControl

TESTS: dict[str, Any] = {
    "gross_range": {"fail": [-7, 7], "suspect": [-5, 5]},
    "spike": {"suspect": 3, "fail": 6},
    "rate_of_change": {"per_second": 2},
    "flat_line": {"suspect": "10 s", "fail": "20 s", "tolerance": 0.5},
    "stuck": {"count": 3},
    "time_gap": {"longest": "15 s"},
    "delay": {"longest": "5 s"},
}
STEP: dict[str, Any] = {
    "by": ["sensor"],
    "of": "value",
    "tests": TESTS,
    "lookahead": "8 s",
    "shards": 2,
}


def flagged(stream: list[list[Row]], seed: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Flag and bits by partition and offset."""
    random = np.random.default_rng(seed)
    step = QualityControl.model_validate(STEP).operator(SCHEMA, "")
    shards = Shards(step, random)
    found: dict[tuple[int, int], tuple[int, int]] = {}

    def take(outputs: list[tuple[str, pa.RecordBatch]]) -> None:
        for _, batch in outputs:
            for row in batch.to_pylist():
                assert (row["_partition"], row["_offset"]) not in found
                found[row["_partition"], row["_offset"]] = row["flag"], row["flag_reasons"]

    for rows, reached in deliveries(stream, random):
        shards.take(step.route(batch_of(rows)))
        for shard in range(2):
            if random.random() < 0.7:
                take(shards.advance(shard, reached))
    for shard in range(2):
        take(shards.advance(shard, FOREVER, end_of(stream)))
    return found


def expected(stream: list[list[Row]]) -> dict[tuple[int, int], tuple[int, int]]:
    every = [row for rows in stream for row in rows]
    found = {}
    for row in every:
        if row.time < row.watermark:
            found[row.partition, row.offset] = flag_of(row, {})
    for sensor in "abc":
        mine = sorted(
            (r for r in every if r.sensor == sensor and r.time >= r.watermark),
            key=lambda r: (r.time, r.partition, r.offset),
        )
        known = [row for row in mine if row.value is not None]
        x, t = (
            np.array([row.value for row in known], float),
            np.array([row.time for row in known], np.int64),
        )
        starts = np.array([0, len(known)]) if known else np.array([0])
        spikes = quality_tests.spike(x, starts, 3, 6)
        spikes[np.r_[np.diff(t) > 8 * SECOND, False][: len(t)]] = quality_tests.UNKNOWN
        tests = {
            "spike": spikes,
            "rate_of_change": quality_tests.rate_of_change(t, x, starts, 2),
            "flat_line": quality_tests.flat_line(t, x, starts, 0.5, 10 * SECOND, 20 * SECOND),
            "stuck": quality_tests.stuck(x, starts, 3),
            "time_gap": quality_tests.time_gap(t, starts, 15 * SECOND),
        }
        for at, row in enumerate(known):
            found[row.partition, row.offset] = flag_of(
                row, {name: int(flags[at]) for name, flags in tests.items()}
            )
        for row in mine:
            if row.value is None:
                found[row.partition, row.offset] = (quality_tests.MISSING, 0)
    return found


def flag_of(row: Row, tests: dict[str, int]) -> tuple[int, int]:
    if row.value is None:
        return quality_tests.MISSING, 0
    one = np.array([row.value])
    tests["gross_range"] = int(quality_tests.gross_range(one, (-7, 7), (-5, 5))[0])
    tests["delay"] = (
        quality_tests.SUSPECT if row.watermark - row.time > 5 * SECOND else quality_tests.GOOD
    )
    flag = int(quality_tests.worst([np.array([one], np.int8) for one in tests.values()])[0])
    return flag, sum(
        quality_tests.bit_of(name) for name, one in tests.items() if one >= quality_tests.SUSPECT
    )


@pytest.mark.parametrize("spent", [0, 4_000])
@settings(max_examples=80)
@given(drawn=partitions, seed=st.integers(0, 99))
def test_flags_equal_those_of_all_readings_in_order(spent: int, drawn: Any, seed: int) -> None:
    stream = rows_of(drawn)
    # However soon what is no longer needed is left out.
    with mock.patch("tocsin.steps.state.row_log._SPENT", spent):
        assert flagged(stream, seed) == expected(stream)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tests": {}}, "names no test"),
        ({"lookahead": "0 s"}, "`spike` needs `lookahead`"),
        (
            {"tests": {"stuck": {"count": 3}}},
            "`spike` needs `lookahead`, and that is for `spike` only",
        ),
        ({"lookahead": "100 ms"}, "whole number"),
        (
            {"tests": {"gross_range": {"fail": [0, 1], "suspect": [-1, 1]}}, "lookahead": "0 s"},
            "lies inside",
        ),
    ],
)
def test_contradictory_settings_are_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        QualityControl.model_validate({**STEP, **change})


def test_columns_are_checked() -> None:
    with pytest.raises(Faults, match="no column 'valeu'"):
        QualityControl.model_validate({**STEP, "of": "valeu"}).output_schema(SCHEMA)
    with pytest.raises(Faults, match="numbers are tested"):
        QualityControl.model_validate({**STEP, "of": "sensor"}).output_schema(SCHEMA)
    with pytest.raises(Faults, match="there is a column 'value' already"):
        QualityControl.model_validate({**STEP, "flag": "value"}).output_schema(SCHEMA)
