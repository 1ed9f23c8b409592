"""Real recordings through Kafka, a job and the lake, compared with pandas on the same file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.recordings import recording
from tocsin.compiler.checker import check_text
from tocsin.lake.query import open_lake
from tocsin.simulator.messages import encode

SCHEMA = {
    "type": "record",
    "name": "Recorded",
    "fields": [
        {"name": "sensor_id", "type": "string"},
        {"name": "metric", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "value", "type": ["null", "double"]},
    ],
}
RECORDINGS = {
    "telraam_fr.parquet": ("1 h", "6 h", "d"),
    "open_smart_home.parquet": ("15 min", "1 h", "h"),
    "epa_toco.parquet": ("15 min", "1 h", "h"),
}
JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      config: {{topic: recorded, schema: recorded.avsc, event_time: ts,
               out_of_orderness: {disorder}, allowed_lateness: {lateness}}}
    - type: Aggregate
      config:
        every: {every}
        window: {window}
        by: [sensor_id, metric]
        measures: {{total: sum(value), mean: mean(value), least: min(value), most: max(value),
                   readings: count(value), rows: count()}}
    - type: WriteToLake
      config: {{lake: lake, dataset: recorded, span: 30 d}}
"""


def columns(name: str) -> pa.Table:
    """The recording's readings, sorted by time as in a stream."""
    table = parquet.read_table(
        recording(name), columns=["sensor_id", "metric", "ts", "value", "seq"]
    )
    for at, column in enumerate(("sensor_id", "metric")):
        table = table.set_column(at, column, table.column(column).cast(pa.string()))
    return table.sort_by([("ts", "ascending"), ("seq", "ascending")])


def shuffled(table: pa.Table, minutes: float) -> pa.Table:
    """The readings out of order: each is up to `minutes` late."""
    times = table.column("ts").cast(pa.int64()).to_numpy() / 60_000
    return table.take(
        pa.array(
            np.argsort(
                times + np.random.default_rng(5).uniform(0, minutes, len(times)), kind="stable"
            )
        )
    )


def through_kafka(table: pa.Table, send: Any, kafka: Any) -> None:
    batch = table.combine_chunks().to_batches()[0]
    at = batch.schema.get_field_index("ts")
    batch = batch.set_column(at, "ts", batch.column("ts").cast(pa.timestamp("us", tz="UTC")))
    messages = encode(batch, json.dumps(SCHEMA))
    # Partitions get equal parts of the recording, so each is in order and fits the embedded Kafka.
    send("recorded", [(value, None, None, number % 4) for number, value in enumerate(messages)])
    assert kafka.ensure_whole("recorded") == len(messages)


def expected(table: pa.Table, every: str, window: str) -> pd.DataFrame:
    """The windows by pandas: each reading is repeated for every window that contains it."""
    frame = table.to_pandas()
    step, size = pd.Timedelta(every.replace(" ", "")), pd.Timedelta(window.replace(" ", ""))
    pieces = [
        frame.assign(start=frame.ts.dt.floor(step) - shift * step)
        for shift in range(int(size / step))
    ]
    grouped = pd.concat(pieces).groupby(["start", "sensor_id", "metric"])
    found = grouped.value.agg(total="sum", mean="mean", least="min", most="max", readings="count")
    found["rows"] = grouped.size()
    return found.reset_index().sort_values(["start", "sensor_id", "metric"], ignore_index=True)


def from_the_lake(folder: Path) -> pd.DataFrame:
    connection, _ = open_lake(folder)
    rows = connection.execute(
        "select window_start at time zone 'UTC' as start, sensor_id, metric, "
        "total, mean, least, most, readings, rows from recorded"
    )
    return rows.df().sort_values(["start", "sensor_id", "metric"], ignore_index=True)


@pytest.mark.parametrize("order", ["in_order", "shuffled"])
@pytest.mark.parametrize("kind", ["tumbling", "sliding"])
@pytest.mark.parametrize("name", ["telraam_fr.parquet", "open_smart_home.parquet"])
def test_the_lake_equals_pandas(
    name: str,
    kind: str,
    order: str,
    kafka: Any,
    send: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tocsin.engines.beam.running import run_bounded

    every, wide, unit = RECORDINGS[name]
    window = every if kind == "tumbling" else wide
    table = columns(name)
    minutes = 90 if unit == "h" else 600
    through_kafka(table if order == "in_order" else shuffled(table, minutes), send, kafka)
    (tmp_path / "recorded.avsc").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    lateness = "0 s" if order == "in_order" else f"{minutes + 5} min"
    job, _ = check_text(
        str(tmp_path / "job.yaml"),
        JOB.format(every=every, window=window, disorder="0 s", lateness=lateness),
    )
    ledger = run_bounded(job)
    assert ledger.balances
    assert ledger.steps["Aggregate"].kept == table.num_rows, "no reading is late"
    came, wanted = from_the_lake(tmp_path / "lake"), expected(table, every, window)
    assert len(came) == len(wanted) > 1000
    for column in ("start", "sensor_id", "metric"):
        assert (came[column].to_numpy() == wanted[column].to_numpy()).all(), column
    for column in ("readings", "rows"):
        assert (came[column].to_numpy() == wanted[column].to_numpy()).all(), column
    for column in ("least", "most"):
        assert np.array_equal(
            came[column].to_numpy(float), wanted[column].to_numpy(float), equal_nan=True
        ), column
    # Without values, the sum is 0 in pandas and null in a job.
    wanted.loc[wanted.readings == 0, "total"] = np.nan
    for column in ("total", "mean"):
        np.testing.assert_allclose(
            came[column].to_numpy(float), wanted[column].to_numpy(float), rtol=1e-9, atol=1e-12
        )


def test_the_air_recording_equals_pandas_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """775,687 readings are too many for the embedded Kafka, so ReadFiles reads them."""
    from tocsin.engines.beam.running import run_bounded

    table = columns("epa_toco.parquet")
    parquet.write_table(table.drop(["seq"]), tmp_path / "air.parquet")
    monkeypatch.chdir(tmp_path)
    text = JOB.format(every="15 min", window="15 min", disorder="0 s", lateness="0 s")
    text = text.replace("ReadTelemetry", "ReadFiles").replace(
        "topic: recorded, schema: recorded.avsc", "files: air.parquet"
    )
    ledger = run_bounded(check_text(str(tmp_path / "job.yaml"), text)[0])
    assert ledger.steps["Aggregate"].kept == table.num_rows
    came, wanted = from_the_lake(tmp_path / "lake"), expected(table, "15 min", "15 min")
    assert len(came) == len(wanted)
    assert (came["readings"].to_numpy() == wanted["readings"].to_numpy()).all()
    assert np.array_equal(
        came["least"].to_numpy(float), wanted["least"].to_numpy(float), equal_nan=True
    )
    np.testing.assert_allclose(
        came["mean"].to_numpy(float), wanted["mean"].to_numpy(float), rtol=1e-9, atol=1e-12
    )
