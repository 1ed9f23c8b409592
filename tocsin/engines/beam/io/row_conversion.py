"""Batches to Beam rows and back, so that a job can use any stock transform of Beam YAML.

Rows cost Python time each, so convert after an aggregation, where rows are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import row_type
from apache_beam.utils.windowed_value import WindowedValue

from tocsin.engines.beam.io.batch_coder import BatchType, schema_of
from tocsin.engines.beam.io.restrictions import clipped
from tocsin.kernels.batch import EVENT_TIME, SYSTEM_FIELDS, TIMESTAMP, user_columns, with_traits

_PYTHON: list[tuple[Any, type]] = [
    (pa.types.is_boolean, bool),
    (pa.types.is_integer, int),
    (pa.types.is_floating, float),
    (pa.types.is_binary, bytes),
]
_ARROW = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    bytes: pa.binary(),
    str: pa.string(),
}


class ToRows(beam.PTransform):  # type: ignore[misc]
    """Batches to Beam rows.

    The field `event_time` is ISO 8601 text, and it is also the element's timestamp. Integers,
    numbers, booleans and binary keep their type; other columns become text. Nulls stay None.
    """

    def expand(self, collection: Any) -> Any:
        """Rows with `event_time` and the user's columns. Raises TypeError without batches."""
        schema = schema_of(collection)
        names = user_columns(schema)
        fields = [
            ("event_time", str),
            *((name, _python(schema.field(name).type) | None) for name in names),
        ]
        rows = collection | beam.FlatMap(_rows, names)
        rows.element_type = row_type.RowTypeConstraint.from_fields(fields)
        return rows


def _python(kind: Any) -> Any:
    return next((python for test, python in _PYTHON if test(kind)), str)


def _rows(batch: pa.RecordBatch, names: list[str]) -> Iterator[Any]:
    times = batch.column(EVENT_TIME).to_pylist()
    columns = [batch.column(name) for name in names]
    plain = [c if _python(c.type) is not str else c.cast(pa.string()) for c in columns]
    values = [column.to_pylist() for column in plain]
    for at, time in enumerate(times):
        row = beam.Row(
            event_time=time.isoformat(),
            **{name: v[at] for name, v in zip(names, values, strict=True)},
        )
        yield beam.transforms.window.TimestampedValue(
            row, clipped(round(time.timestamp() * 1_000_000))
        )


class ToBatches(beam.PTransform):  # type: ignore[misc]
    """Beam rows to batches of up to `rows` rows.

    The event time is the field `event_time` (ISO 8601 text). Where a batch has a row without it,
    the batch takes the elements' timestamps.
    """

    def __init__(self, rows: int = 10_000) -> None:
        super().__init__()
        self.rows = rows

    def expand(self, collection: Any) -> Any:
        """Batches of the rows' fields and the system columns, null except `_event_time`."""
        fields = []
        for name, kind in collection.element_type._fields:
            inner = next(
                (t for t in getattr(kind, "__args__", (kind,)) if t is not type(None)), str
            )
            if name != "event_time":
                fields.append(pa.field(name, _ARROW.get(inner, pa.string())))
        schema = with_traits(pa.schema([*fields, *SYSTEM_FIELDS]))
        batches = collection | beam.ParDo(_Gather(schema, self.rows))
        batches.element_type = BatchType(schema)
        return batches


class _Gather(beam.DoFn):  # type: ignore[misc]
    def __init__(self, schema: pa.Schema, size: int) -> None:
        self.schema = schema
        self.size = size

    def start_bundle(self) -> None:
        self.rows: list[tuple[Any, Any]] = []

    def process(self, row: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[Any]:
        self.rows.append((timestamp, row))
        if len(self.rows) >= self.size:
            yield self._batch()

    def finish_bundle(self) -> Iterator[Any]:
        if self.rows:
            earliest = min(time for time, _ in self.rows)
            yield WindowedValue(self._batch(), earliest, (GlobalWindow(),))

    def _batch(self) -> pa.RecordBatch:
        rows, self.rows = self.rows, []
        columns = []
        for field in self.schema:
            if field.name == EVENT_TIME:
                texts = [getattr(row, "event_time", None) for _, row in rows]
                times = [t.micros for t, _ in rows]
                stated = pa.array(texts, pa.string()).cast(TIMESTAMP)
                columns.append(
                    pa.array(times, pa.int64()).view(TIMESTAMP) if stated.null_count else stated
                )
            elif field.name.startswith("_"):
                columns.append(pa.nulls(len(rows), field.type))
            else:
                columns.append(pa.array([getattr(row, field.name) for _, row in rows], field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)
