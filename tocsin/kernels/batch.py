"""System columns of a record batch of readings, and the traits of its schema.

System columns start with an underscore. A user's column must not.

| column | type | meaning |
|---|---|---|
| `_event_time` | timestamp[us, UTC] | event time; never null |
| `_watermark` | timestamp[us, UTC] | watermark of its partition at its offset; null: never late |
| `_partition` | int32 | partition (or number of the file); null after an aggregation |
| `_offset` | int64 | offset in the partition; null after an aggregation |
| `_index` | int32 | position of the reading within its message; null after an aggregation |
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

EVENT_TIME = "_event_time"
WATERMARK = "_watermark"
PARTITION = "_partition"
OFFSET = "_offset"
INDEX = "_index"

TIMESTAMP = pa.timestamp("us", tz="UTC")

SYSTEM_FIELDS = (
    pa.field(EVENT_TIME, TIMESTAMP),
    pa.field(WATERMARK, TIMESTAMP),
    pa.field(PARTITION, pa.int32()),
    pa.field(OFFSET, pa.int64()),
    pa.field(INDEX, pa.int32()),
)
SYSTEM_COLUMNS = tuple(field.name for field in SYSTEM_FIELDS)

BEGINNING = -(2**62)
"""The earliest time in microseconds. It encodes null and a watermark that does not exist yet."""
FOREVER = 2**61
"""The latest time in microseconds. It encodes the end of the input and a row that never expires."""

_TRAITS = b"tocsin.traits"
_END = b"tocsin.end_of_input"
_OFFSETS = b"tocsin.offsets"


@dataclass(frozen=True)
class Traits:
    """Properties of a schema that its columns do not express.

    Attributes:
        topic: the topic that the rows come from.
        allowed_lateness: how long windows wait for late rows, microseconds.
        stage: the number of stateful steps upstream. Each delays its output by one more
            millisecond of event time.
        keys: the columns that identify a sensor after an aggregation.
        aggregated: whether rows are window results with `window_start`, `window_end`, `revision`.
        inputs: the number of inputs that a union merged.
        out_of_orderness: how far the source's rows may be out of order, microseconds.
        units: UCUM codes of the columns whose unit is known.
        periods: averaging time of the columns that are means, microseconds.
        descriptions: what columns mean, in words.
    """

    topic: str = ""
    allowed_lateness: int = 0
    stage: int = 0
    keys: tuple[str, ...] = ()
    aggregated: bool = False
    inputs: int = 1
    out_of_orderness: int = 0
    units: dict[str, str] = field(default_factory=dict)
    periods: dict[str, int] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)


def traits(schema: pa.Schema) -> Traits:
    """The traits of a schema. A schema without traits has the default ones."""
    raw = (schema.metadata or {}).get(_TRAITS)
    if raw is None:
        return Traits()
    values = json.loads(raw)
    return Traits(**{**values, "keys": tuple(values["keys"])})


def with_traits(schema: pa.Schema, **changes: Any) -> pa.Schema:
    """The same columns with some traits changed. Other metadata is dropped."""
    changed = replace(traits(schema), **changes)
    return schema.with_metadata({_TRAITS: json.dumps(asdict(changed), sort_keys=True).encode()})


def like(schema: pa.Schema, fields: list[pa.Field]) -> pa.Schema:
    """A schema of `fields` with the traits of `schema`."""
    return with_traits(pa.schema(fields, metadata=schema.metadata))


def user_columns(schema: pa.Schema) -> list[str]:
    """Names of the columns that are not system columns."""
    return [name for name in schema.names if name not in SYSTEM_COLUMNS]


def readings_schema(fields: list[pa.Field], *, topic: str, allowed_lateness: int) -> pa.Schema:
    """The schema of a source: the user's fields, then the system columns.

    Args:
        fields: the user's columns.
        topic: the topic that the rows come from.
        allowed_lateness: microseconds.
    """
    return with_traits(
        pa.schema([*fields, *SYSTEM_FIELDS]), topic=topic, allowed_lateness=allowed_lateness
    )


@dataclass(frozen=True)
class EndOfInput:
    """A marker that one part of a bounded input has ended.

    The end of a bounded input is not silence. No sensor is missing after the smallest watermark.

    Attributes:
        part: the part that ended.
        of: the number of parts. Each sends one marker.
        watermark: the part's last watermark in microseconds, or None for a part without rows.
        group: which input the part belongs to, after a union.
    """

    part: str
    of: int
    watermark: int | None
    group: str = ""


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """A batch without rows that has the schema, including its metadata."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def end_marker(schema: pa.Schema, end: EndOfInput) -> pa.RecordBatch:
    """A batch without rows whose metadata says that a part of the input has ended."""
    metadata = {**(schema.metadata or {}), _END: json.dumps(asdict(end)).encode()}
    return no_rows(schema.with_metadata(metadata))


def end_of_input(batch: pa.RecordBatch) -> EndOfInput | None:
    """The marker in a batch without rows, or None for any other batch."""
    if batch.num_rows:
        return None
    raw = (batch.schema.metadata or {}).get(_END)
    return None if raw is None else EndOfInput(**json.loads(raw))


Offsets = dict[str, tuple[int, int]]


def offsets_of(batch: pa.RecordBatch) -> Offsets:
    """First and last offset by partition.

    The batch's metadata is used where it has offsets, otherwise its columns. A batch with neither
    gives an empty dictionary.
    """
    raw = (batch.schema.metadata or {}).get(_OFFSETS)
    if raw is not None:
        return {partition: (span[0], span[1]) for partition, span in json.loads(raw).items()}
    if PARTITION not in batch.schema.names or not batch.num_rows:
        return {}
    partition, offset = batch.column(PARTITION), batch.column(OFFSET)
    if partition.null_count or offset.null_count:
        return {}
    offsets = offset.to_numpy()
    return {
        str(p): (int(offsets[rows].min()), int(offsets[rows].max()))
        for p, rows in by_partition(partition.to_numpy())
    }


def by_partition(partitions: Any) -> list[tuple[int, Any]]:
    """Each partition with an index of its rows. Most batches hold one partition."""
    if (partitions == partitions[0]).all():
        return [(int(partitions[0]), slice(None))]
    return [(int(one), partitions == one) for one in np.unique(partitions)]


def with_offsets(batch: pa.RecordBatch, offsets: Offsets) -> pa.RecordBatch:
    """The same rows. Metadata holds the offsets that they were computed from."""
    metadata = {
        **(batch.schema.metadata or {}),
        _OFFSETS: json.dumps(offsets, sort_keys=True).encode(),
    }
    return batch.replace_schema_metadata(metadata)


def merge_offsets(spans: list[Offsets]) -> Offsets:
    """For each partition the smallest range of offsets that covers all ranges of `spans`."""
    merged: Offsets = {}
    for span in spans:
        for partition, (first, last) in span.items():
            known = merged.get(partition, (first, last))
            merged[partition] = (min(known[0], first), max(known[1], last))
    return merged


def micros(column: Any) -> Int64s:
    """A timestamp column as int64 microseconds since 1970. Null becomes BEGINNING.

    A nanosecond is cut to microseconds. A timestamp without a zone is UTC.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    numbers = (in_micros(array) if array.type.unit == "ns" else array.cast(TIMESTAMP)).view(
        pa.int64()
    )
    result: Int64s = (numbers.fill_null(BEGINNING) if numbers.null_count else numbers).to_numpy()
    return result


def in_micros(column: Any) -> Any:
    """Timestamps in nanoseconds as timestamps in microseconds, cut to the one before.

    Arrow's own cast refuses to cut, or cuts towards 1970.
    """
    values = column.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False) // 1000
    mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return pa.array(values, pa.int64(), mask=mask).view(pa.timestamp("us", column.type.tz))


def timestamps(values: Int64s) -> pa.Array:
    """Microseconds since 1970 as a timestamp column. BEGINNING and earlier become null."""
    missing = values <= BEGINNING
    return pa.array(values, pa.int64(), mask=missing if missing.any() else None).view(TIMESTAMP)
