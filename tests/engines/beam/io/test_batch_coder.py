"""The coder of batches: every batch survives a round trip with its metadata."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.typehints import typehints
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engines.beam.io.batch_coder import BatchCoder, BatchType, schema_of

SCHEMA = pa.schema(
    [
        pa.field("sensor", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("at", pa.timestamp("us", "UTC")),
    ],
    metadata={"topic": "city"},
)
ROWS = st.fixed_dictionaries(
    {
        "sensor": st.none() | st.text(max_size=5),
        "value": st.none() | st.floats(allow_nan=False),
        "tags": st.none() | st.lists(st.text(max_size=3), max_size=3),
        "at": st.none()
        | st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001
            lambda moment: moment.replace(tzinfo=UTC)
        ),
    }
)


def batch_of(rows: list[dict[str, Any]], **metadata: str) -> pa.RecordBatch:
    schema = SCHEMA.with_metadata({**(SCHEMA.metadata or {}), **metadata})
    return pa.RecordBatch.from_pylist(rows, schema=schema)


@given(rows=st.lists(ROWS, max_size=20), cut=st.integers(0, 5))
def test_batches_and_slices_survive_a_round_trip(rows: list[dict[str, Any]], cut: int) -> None:
    coder = BatchCoder(SCHEMA)
    batch = batch_of(rows).slice(min(cut, len(rows)))
    decoded = coder.decode(coder.encode(batch))
    assert decoded.to_pylist() == batch.to_pylist()
    assert decoded.schema.equals(SCHEMA, check_metadata=True)


@given(extra=st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=20), max_size=3))
def test_metadata_of_one_batch_survives(extra: dict[str, str]) -> None:
    coder = BatchCoder(SCHEMA)
    batch = batch_of([{"sensor": "a"}], **extra)
    decoded = coder.decode(coder.encode(batch))
    assert decoded.schema.metadata == batch.schema.metadata


def test_equal_batches_give_equal_bytes_and_repeated_values_are_compressed() -> None:
    coder = BatchCoder(SCHEMA)
    rows = [{"sensor": "sensor of one street", "value": 1.0}] * 5_000
    assert coder.encode(batch_of(rows)) == coder.encode(batch_of(rows))
    assert coder.is_deterministic()
    assert len(coder.encode(batch_of(rows))) < coder.estimate_size(batch_of(rows)) / 10


def test_batches_with_other_columns_are_refused() -> None:
    other = pa.RecordBatch.from_pydict({"sensor": ["a"]})
    with pytest.raises(TypeError, match=r"a batch of \['sensor'\] in a collection of"):
        BatchCoder(SCHEMA).encode(other)


def test_the_element_type_names_its_columns_and_compares_metadata() -> None:
    kind = BatchType(SCHEMA)
    assert kind == BatchType(SCHEMA)
    assert kind != BatchType(SCHEMA.with_metadata({"topic": "other"}))
    assert repr(BatchType(pa.schema([("a", pa.int64()), ("_offset", pa.int64())]))) == (
        "Batches[a: int64]"
    )
    kind.type_check(batch_of([]))
    with pytest.raises(typehints.SimpleTypeHintError, match="expected a record batch, got int"):
        kind.type_check(1)
    assert beam.coders.registry.get_coder(kind) == BatchCoder(SCHEMA)


def test_a_collection_of_other_elements_has_no_schema() -> None:
    numbers = beam.Pipeline() | beam.Create([1])
    with pytest.raises(TypeError, match=r"this step takes batches of readings.*put ToBatches"):
        schema_of(numbers)
