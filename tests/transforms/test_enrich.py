"""Enrichment by key, and by key and time: what pandas finds, and mistakes of the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, readings_schema, timestamps
from tocsin.kernels.time.as_of import versioned_rows
from tocsin.parts.registry import load, step_types

SECOND = 1_000_000
SCHEMA = readings_schema(
    [pa.field("sensor", pa.string()), pa.field("value", pa.float64())],
    topic="t",
    allowed_lateness=0,
)


def enrich(table: Path, **config: Any) -> Any:
    given_config = {"table": str(table), "by": ["sensor"], **config}
    return load(step_types()["Enrich"]).model_validate(given_config, context={"folders": ["/"]})


def batch(rows: list[tuple[str | None, int]]) -> pa.RecordBatch:
    columns = [
        pa.array([sensor for sensor, _ in rows], pa.string()),
        pa.array(np.ones(len(rows))),
        timestamps(np.array([at * SECOND for _, at in rows], np.int64)),
        *(pa.nulls(len(rows), field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


table_rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.none() | st.integers(0, 60)),
    max_size=12,
    unique_by=lambda row: row[:2],
)
readings = st.lists(
    st.tuples(st.sampled_from("abcd") | st.none(), st.integers(-5, 70)), min_size=1, max_size=30
)


@given(table_rows, readings)
def test_the_last_row_that_began_and_has_not_ended_is_used(table: Any, given_rows: Any) -> None:
    sensors, starts, ends = (
        (list(column) for column in zip(*table, strict=True)) if table else ([], [], [])
    )
    at = timestamps(np.array([start * SECOND for start in starts], np.int64))
    until = pa.array([None if end is None else end * SECOND for end in ends], pa.int64()).cast(
        pa.timestamp("us", "UTC")
    )
    known = versioned_rows([pa.array(sensors, pa.string())], at, until)
    times = np.array([time * SECOND for _, time in given_rows], np.int64)
    found = known.rows_at(
        [pa.array([sensor for sensor, _ in given_rows], pa.string())], times
    ).to_pylist()
    for (sensor, time), row in zip(given_rows, found, strict=True):
        began = [n for n in range(len(starts)) if sensors[n] == sensor and starts[n] <= time]
        last = max(began, key=lambda n: starts[n], default=None)
        expected = None if last is None or (ends[last] is not None and ends[last] <= time) else last
        assert row == expected


def test_dated_calibrations_join_as_of_the_event_time_like_pandas(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "sensor": random.choice(list("abc"), 30),
            "since": pd.to_datetime(random.permutation(500)[:30], unit="s"),
        }
    )
    table["slope"] = random.normal(1, 0.1, 30)
    table.to_csv(tmp_path / "calibration.csv", index=False)
    rows = [
        (str(s), int(t))
        for s, t in zip(random.choice(list("abcd"), 400), random.integers(0, 600, 400), strict=True)
    ]
    step = enrich(tmp_path / "calibration.csv", valid_from="since")
    assert step.output_schema(SCHEMA).names[:3] == ["sensor", "value", "slope"]
    found = step.apply(batch(rows)).kept.column("slope").to_pylist()
    frame = pd.DataFrame(rows, columns=["sensor", "t"]).reset_index()
    frame["since"] = pd.to_datetime(frame["t"], unit="s")
    merged = pd.merge_asof(
        frame.sort_values("since"), table.sort_values("since"), on="since", by="sensor"
    ).sort_values("index")
    np.testing.assert_allclose(np.array(found, float), merged["slope"].to_numpy())
    kept = enrich(tmp_path / "calibration.csv", valid_from="since", unknown="filter").apply(
        batch(rows)
    )
    assert kept.filtered == int(merged["slope"].isna().sum())


@pytest.mark.parametrize(
    ("text", "config", "why"),
    [
        (
            "sensor,since,slope\na,2026-01-01,1\na,2026-01-01,2\n",
            {"valid_from": "since"},
            "two rows of sensor=a, since=2026-01-01",
        ),
        (
            "sensor,since,slope\na,2026-01-01,1\na,2026-02-01,2\n",
            {},
            ".csv:3: the table has several rows for one key: sensor=a is also at",
        ),
        (
            "sensor,since,slope\na,2026-01-01,1\n",
            {"valid_from": "sinse"},
            "no column 'sinse' in the table",
        ),
        ("sensor,since,slope\na,soon,1\n", {"valid_from": "since"}, "dates cannot be read"),
        ("sensor,since,slope\na,2026-01-01,1\n", {"valid_to": "since"}, "needs `valid_from`"),
    ],
)
def test_a_wrong_table_is_refused(text: str, config: Any, why: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(Fault, match=why):
        enrich(tmp_path / "t.csv", **config).output_schema(SCHEMA)


def test_digits_with_leading_zeros_join_as_the_texts_that_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sensor;zip;code\n007;01067;1\n42;10115;2\n")
    step = enrich(tmp_path / "t.csv", types={"code": "string"})
    schema = step.output_schema(SCHEMA)
    assert [str(schema.field(name).type) for name in ("zip", "code")] == ["string", "string"]
    kept = step.apply(batch([("007", 0), ("7", 0), ("42", 0), ("gw-1", 0), (None, 0)])).kept
    assert kept.column("zip").to_pylist() == ["01067", None, "10115", None, None]
    assert kept.column("code").to_pylist() == ["1", None, "2", None, None]


def test_two_keys_of_digits_join(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sensor,value,place\n007,1,roof\n")
    step = enrich(tmp_path / "t.csv", by=["sensor", "value"])
    step.output_schema(SCHEMA)
    assert step.apply(batch([("007", 0), ("7", 0)])).kept.column("place").to_pylist() == [
        "roof",
        None,
    ]
