"""NowCast keeps one sum an hour, and gives the formula's value for any batches and lateness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streams import SCHEMA, SECOND, START, Row, Shards, batch_of, deliveries, rows_of
from tocsin.kernels.batch import FOREVER
from tocsin.kernels.domains.air_quality import nowcast
from tocsin.steps.aggregate.step import Aggregate

HOUR = 3_600 * SECOND
STEP: dict[str, Any] = {
    "every": "1 h",
    "window": "12 h",
    "by": ["sensor"],
    "measures": {"nowcast": "nowcast(value)"},
    "shards": 2,
}
# Hours since the start in steps of 10 minutes, so that several readings are in an hour.
readings = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 120).map(lambda step: step * 600),
        st.none() | st.integers(0, 50).map(lambda n: n / 7),
    ),
    min_size=1,
    max_size=30,
)


def results(step: dict[str, Any], stream: list[list[Row]], seed: int) -> dict[Any, float | None]:
    random = np.random.default_rng(seed)
    made = Aggregate.model_validate(step).operator(SCHEMA, "")
    shards, emitted = Shards(made, random), []
    for rows, reached in deliveries(stream, random):
        shards.take(made.route(batch_of(rows)))
        emitted += [one for shard in range(2) for one in shards.advance(shard, reached)]
    emitted += [one for shard in range(2) for one in shards.advance(shard, FOREVER)]
    return {
        (row["sensor"], int(row["window_end"].timestamp()) * SECOND): row["nowcast"]
        for _, batch in emitted
        for row in sorted(batch.to_pylist(), key=lambda row: row["revision"])
    }


def expected(rows: list[Row], every: int) -> dict[Any, float | None]:
    found: dict[Any, float | None] = {}
    for sensor in sorted({row.sensor for row in rows}):
        mine = [row for row in rows if row.sensor == sensor]
        first, last = (f(row.time for row in mine) // every * every for f in (min, max))
        for end in range(first + every, last + 12 * HOUR + 1, every):
            inside = [row for row in mine if end - 12 * HOUR <= row.time < end]
            if inside:
                hours = [
                    [row.value for row in inside if (end - 1 - row.time) // HOUR == back]
                    for back in range(12)
                ]
                known = [[v for v in one if v is not None] for one in hours]
                means = [math.fsum(one) / len(one) if one else np.nan for one in known]
                value = float(nowcast(np.array(means))[0])
                found[sensor, end] = None if np.isnan(value) else value
    return found


@pytest.mark.parametrize("every", ["1 h", "30 min", "90 min"])
@settings(max_examples=40, deadline=None)
@given(drawn=readings, seed=st.integers(0, 99))
def test_it_is_the_formula_over_hours_before_the_end(every: str, drawn: Any, seed: int) -> None:
    (rows,) = rows_of([sorted(drawn, key=lambda row: row[1])])
    length = {"1 h": HOUR, "30 min": HOUR // 2, "90 min": 3 * HOUR // 2}[every]
    found = results({**STEP, "every": every}, [rows], seed)
    wanted = expected(rows, length)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == (None if value is None else pytest.approx(value, rel=1e-12))


@given(drawn=st.lists(readings, min_size=1, max_size=3), seed=st.integers(0, 99))
def test_delivery_does_not_change_a_digit(drawn: Any, seed: int) -> None:
    stream = rows_of(drawn)
    assert results(STEP, stream, seed) == results(STEP, stream, seed + 100)


def test_a_partial_result_has_one_sum_an_hour() -> None:
    made = Aggregate.model_validate({**STEP, "shards": 1}).operator(SCHEMA, "")
    (rows,) = rows_of([[("a", at * 10, 1.0 + at / 7) for at in range(3_000)]])
    ((_, partial),) = made.route(batch_of(rows)).by_shard
    (sums,) = [column for column in partial.columns if str(column.type).startswith("list")]
    first, last = ((START + at * SECOND) // HOUR for at in (0, 29_990))
    assert partial.num_rows == len(sums.flatten()) == last - first + 1
