"""Joined aggregates equal those of pandas, whatever the batches and whichever side is first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streams import SECOND, START, Shards
from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import (
    FOREVER,
    SYSTEM_FIELDS,
    TIMESTAMP,
    no_rows,
    readings_schema,
    timestamps,
    traits,
    with_traits,
)
from tocsin.steps.state.union import united, united_schema
from tocsin.steps.window_join.step import WindowJoin

LATENESS = 20 * SECOND


def schema_of(keys: list[str], measure: str) -> pa.Schema:
    fields = [
        pa.field("window_start", TIMESTAMP),
        pa.field("window_end", TIMESTAMP),
        *(pa.field(key, pa.string()) for key in keys),
        pa.field(measure, pa.float64()),
        pa.field("revision", pa.int32()),
    ]
    return with_traits(
        readings_schema(fields, topic="t", allowed_lateness=LATENESS),
        aggregated=True,
        keys=tuple(keys),
    )


LEFT, RIGHT = schema_of(["district", "lane"], "speed"), schema_of(["district"], "rain")
SCHEMA = united_schema([("left", LEFT), ("right", RIGHT)])
# Side, window of five seconds, key, value on time or None, value with late rows or None.
Row = tuple[str, int, tuple[str, ...], float, int]


def batch_of(rows: list[Row]) -> list[pa.RecordBatch]:
    found = []
    for side, schema in (("left", LEFT), ("right", RIGHT)):
        mine = [row for row in rows if row[0] == side]
        if not mine:
            continue
        starts = np.array([START + window * 5 * SECOND for _, window, *_ in mine], np.int64)
        keys = [pa.array([row[2][at] for row in mine]) for at in range(len(mine[0][2]))]
        columns = [
            timestamps(starts),
            timestamps(starts + 5 * SECOND),
            *keys,
            pa.array([row[3] for row in mine], pa.float64()),
            pa.array([row[4] for row in mine], pa.int32()),
            timestamps(starts + 5 * SECOND - 1),
            *(pa.nulls(len(mine), field.type) for field in SYSTEM_FIELDS[1:]),
        ]
        found.append(united(pa.RecordBatch.from_arrays(columns, schema=schema), side, SCHEMA))
    return found


def come(row: Row) -> int:
    return START + (row[1] + 1) * 5 * SECOND - 1 + row[4] * LATENESS


def joined(how: str, rows: list[Row], seed: int, cuts: int) -> list[tuple[Any, ...]]:
    random = np.random.default_rng(seed)
    step = WindowJoin.model_validate({"by": ["district"], "how": how, "shards": 2})
    operator = step.operator(SCHEMA, "")
    shards = Shards(operator, random)
    rows = sorted(rows, key=lambda row: (come(row), row))
    outputs, passed = [], 0
    for mark in sorted(random.integers(0, 120, cuts)):
        time = START + int(mark) * SECOND
        here = [row for row in rows[passed:] if come(row) < time]
        passed += len(here)
        parts = batch_of([here[at] for at in random.permutation(len(here))])
        for at in random.permutation(len(parts)):
            shards.take(operator.route(parts[at]))
        outputs += [batch for shard in range(2) for _, batch in shards.advance(shard, time)]
    for part in batch_of(rows[passed:]):
        shards.take(operator.route(part))
    outputs += [batch for shard in range(2) for _, batch in shards.advance(shard, FOREVER, None)]
    names = ["window_start", "district", "lane", "speed", "rain", "revision"]
    return sorted(
        (tuple(row[name] for name in names) for batch in outputs for row in batch.to_pylist()),
        key=str,
    )


def expected(how: str, rows: list[Row]) -> list[tuple[Any, ...]]:
    """By pandas: rows on time; and for keys with a revision on either side, the newest of each."""
    found = []
    for revision in (0, 1):
        frames = []
        for side, names in (("left", ["district", "lane"]), ("right", ["district"])):
            frame = pd.DataFrame(
                [
                    (w, *key, value, r)
                    for s, w, key, value, r in rows
                    if s == side and r <= revision
                ],
                columns=["window", *names, "speed" if side == "left" else "rain", "revision"],
            )
            frames.append(
                frame.sort_values("revision").drop_duplicates(["window", *names], keep="last")
            )
        both = frames[0].merge(
            frames[1], on=["window", "district"], how=how, suffixes=("", "_right")
        )
        if revision:
            changed = {(w, key[0]) for _, w, key, _, r in rows if r == 1}
            both = both[
                [pair in changed for pair in zip(both["window"], both["district"], strict=True)]
            ]
        for row in both.to_dict("records"):
            lane, speed, rain = (
                None if pd.isna(row[name]) else row[name] for name in ("lane", "speed", "rain")
            )
            at = timestamps(np.array([START + int(row["window"]) * 5 * SECOND]))[0].as_py()
            found.append((at, row["district"], lane, speed, rain, revision))
    return sorted(found, key=str)


values = st.none() | st.integers(0, 9).map(float)
rows = st.lists(
    st.tuples(
        st.sampled_from(["left", "right"]),
        st.integers(0, 8),
        st.sampled_from("ab"),
        st.sampled_from("12"),
        values,
        values,
    ),
    max_size=30,
).map(
    lambda drawn: [
        (side, window, (district, lane) if side == "left" else (district,), value, revision)
        for side, window, district, lane, on_time, late in {
            (s, w, d, lane if s == "left" else ""): (s, w, d, lane, a, b)
            for s, w, d, lane, a, b in drawn
        }.values()
        for revision, value in enumerate((on_time, late))
        if value is not None
    ]
)


@settings(max_examples=100)
@given(rows, st.integers(0, 99), st.sampled_from(["inner", "left", "outer"]))
def test_a_join_equals_that_of_all_rows_whatever_the_batches(
    drawn: list[Row], seed: int, how: str
) -> None:
    found = joined(how, drawn, seed, 6)
    assert found == joined(how, drawn, seed + 1, 0)
    assert found == expected(how, drawn)


@pytest.mark.parametrize(
    ("left", "right", "by", "why"),
    [
        (
            schema_of(["district"], "speed"),
            schema_of(["lane", "district"], "rain"),
            ["district"],
            "has the key 'lane' too",
        ),
        (RIGHT, schema_of(["district"], "wind"), ["city"], "no column 'city'"),
        (LEFT, schema_of(["district"], "speed"), ["district"], "both inputs have speed"),
        (
            schema_of(["lane"], "speed"),
            schema_of(["lane", "district"], "rain"),
            ["lane"],
            "has the key 'district' too",
        ),
        (LEFT, RIGHT, ["lane"], "no column 'lane'"),
        (
            readings_schema([pa.field("district", pa.string())], topic="t", allowed_lateness=0),
            RIGHT,
            ["district"],
            "takes aggregates",
        ),
    ],
)
def test_inputs_that_cannot_be_joined_are_refused(
    left: Any, right: Any, by: list[str], why: str
) -> None:
    with pytest.raises(Faults, match=why):
        WindowJoin(by=by).output_schema(united_schema([("left", left), ("right", right)]))


def test_units_and_periods_are_kept() -> None:
    left = with_traits(LEFT, units={"speed": "km/h"}, periods={"speed": 60 * SECOND})
    right = with_traits(RIGHT, units={"rain": "mm", "district": "1"})
    found = traits(
        WindowJoin(by=["district"]).output_schema(united_schema([("left", left), ("right", right)]))
    )
    assert (found.units, found.periods) == ({"speed": "km/h", "rain": "mm"}, {"speed": 60 * SECOND})


def test_a_list_of_inputs_has_the_units_that_all_agree_on() -> None:
    some = with_traits(LEFT, units={"speed": "km/h"}, periods={"speed": 60 * SECOND})
    longer = with_traits(some, periods={"speed": 300 * SECOND})
    found = traits(united_schema([("", some), ("", longer)]))
    assert (found.units, found.periods) == ({"speed": "km/h"}, {})
    assert traits(united_schema([("", some), ("", LEFT)])).units == {}
    with pytest.raises(ValueError, match=r"same units; 'speed' is in km/h and in m/s"):
        united_schema([("", some), ("", with_traits(LEFT, units={"speed": "m/s"}))])


def test_a_revision_is_emitted_only_for_its_key() -> None:
    rows: list[Row] = [
        *(("left", 0, (district, "1"), 10.0, 0) for district in "abc"),
        *(("right", 0, (district,), 1.0, 0) for district in "abc"),
        ("right", 0, ("b",), 2.0, 1),
        ("left", 0, ("c", "1"), 20.0, 1),
    ]
    for seed in range(5):
        found = joined("outer", rows, seed, 6)
        assert [
            (district, speed, rain) for _, district, _, speed, rain, again in found if again
        ] == [
            ("b", 10.0, 2.0),
            ("c", 20.0, 1.0),
        ]
        assert len(found) == 5


def test_a_join_comes_after_its_inputs() -> None:
    """Timers of a later stage fire after those of an earlier one."""
    stage = max(traits(LEFT).stage, traits(RIGHT).stage)
    joined_schema = WindowJoin.model_validate({"by": ["district"]}).outputs(SCHEMA)["output"]
    assert traits(joined_schema).stage == stage + 1


def test_a_batch_without_rows_goes_nowhere_and_counts_nothing() -> None:
    operator = WindowJoin.model_validate({"by": ["district"]}).operator(SCHEMA, "")
    routed = operator.route(no_rows(SCHEMA))
    assert (routed.by_shard, routed.outputs, routed.counts) == ([], {}, {"kept": 0})
