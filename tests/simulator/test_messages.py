"""Messages can be decoded by another Avro library to the readings that they encode."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.batch import TIMESTAMP
from tocsin.simulator.messages import encode, keys_of

MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
SCHEMA = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "sensor_id", "type": "string"},
        {"name": "observed_at", "type": MILLIS},
        {"name": "value", "type": ["null", "double"]},
    ],
}
ROWS = st.fixed_dictionaries(
    {
        "sensor_id": st.text(max_size=8),
        "observed_at": st.integers(0, 4_000_000_000_000),
        "value": st.none() | st.floats(allow_nan=False),
    }
)


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = {
        "value": pa.array([row["value"] for row in rows], pa.float64()),
        "sensor_id": pa.array([row["sensor_id"] for row in rows], pa.string()),
        "observed_at": pa.array([int(row["observed_at"] * 1000) for row in rows], pa.int64()).view(
            TIMESTAMP
        ),
        "not_in_the_schema": pa.nulls(len(rows), pa.int32()),
    }
    return pa.RecordBatch.from_pydict(columns)


@given(rows=st.lists(ROWS, min_size=1, max_size=10), schema_id=st.integers(0, 2**31 - 1))
def test_fastavro_decodes_the_same_readings(rows: list[dict[str, Any]], schema_id: int) -> None:
    messages = encode(batch_of(rows), json.dumps(SCHEMA), schema_id)
    parsed = fastavro.parse_schema(json.loads(json.dumps(SCHEMA)))
    for message, row in zip(messages, rows, strict=True):
        assert message[:5] == b"\x00" + schema_id.to_bytes(4, "big")
        found: Any = fastavro.schemaless_reader(io.BytesIO(message[5:]), parsed, None)
        moment = datetime.fromtimestamp(0, UTC).timestamp() + row["observed_at"] / 1000
        assert found["observed_at"].timestamp() == pytest.approx(moment, abs=1e-3)
        assert (found["sensor_id"], found["value"]) == (row["sensor_id"], row["value"])


def test_keys_follow_the_rows() -> None:
    batch = batch_of(
        [
            {"sensor_id": name, "observed_at": at, "value": None}
            for name, at in (("b", 5), ("ä", 6), ("b", 7))
        ]
    )
    assert keys_of(batch) == [b"b", "ä".encode(), b"b"]


def test_a_missing_column_is_an_error() -> None:
    batch = batch_of([{"sensor_id": "a", "observed_at": 1, "value": 1.0}])
    with pytest.raises(KeyError, match="value"):
        encode(batch.drop_columns(["value"]), json.dumps(SCHEMA))


def test_a_time_that_the_schema_cannot_hold_is_an_error() -> None:
    batch = batch_of([{"sensor_id": "a", "observed_at": 0.007, "value": 1.0}])
    with pytest.raises(pa.ArrowInvalid, match="would lose data: 7"):
        encode(batch, json.dumps(SCHEMA))
