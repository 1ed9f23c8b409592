"""Streams of rows for the laws of stateful steps.

A stream has partitions with watermarks of their own. It is cut into batches and delivered in any
order that Kafka allows: rows of one partition keep their order, and all rows of a key are in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import BEGINNING, EVENT_TIME, readings_schema, timestamps
from tocsin.kernels.time.lateness import running_watermarks
from tocsin.laws.readings import START
from tocsin.steps.state.union import united, united_schema

SECOND = 1_000_000
LATENESS = 20 * SECOND
OUT_OF_ORDERNESS = 5 * SECOND
_SHORT = ("sensor_id", "at", "value")
_PARTITIONS, _ROWS, _SPAN = 3, 30, 60
_MISSING, _REPEATED = 0.1, 0.15


@dataclass(frozen=True)
class Row:
    """A row of one input, with what its lateness depends on. Times are microseconds."""

    input: str
    columns: dict[str, Any]
    time: int
    watermark: int
    partition: int
    offset: int


@dataclass(frozen=True)
class Shape:
    """The inputs of a step by name, and the schema of all together."""

    inputs: dict[str, pa.Schema]
    schema: pa.Schema


def rows_given(given: Any) -> dict[str, list[dict[str, Any]]]:
    """The rows of an example, by input.

    given: rows, or a mapping of inputs to rows. A row maps columns to values, with `at` in seconds,
    or a tuple (sensor_id, at, value).
    """
    named = given if isinstance(given, dict) else {"": given}
    return {
        name: [
            dict(row) if isinstance(row, dict) else dict(zip(_SHORT, row, strict=True))
            for row in rows
        ]
        for name, rows in named.items()
    }


def shape_of(given: dict[str, list[dict[str, Any]]]) -> Shape:
    """Columns and types of the rows of an example."""
    inputs = {}
    for name, rows in given.items():
        values = {key: [row.get(key) for row in rows] for row in rows for key in row if key != "at"}
        fields = [pa.field(key, pa.array(column).type) for key, column in values.items()]
        inputs[name] = readings_schema(fields, topic="law", allowed_lateness=LATENESS)
    schema = inputs[""] if list(inputs) == [""] else united_schema(list(inputs.items()))
    return Shape(inputs, schema)


def in_order(given: dict[str, list[dict[str, Any]]]) -> list[Row]:
    """The rows of an example in order of time, each on time."""
    rows = [
        Row(name, row, START + int(row["at"] * SECOND), BEGINNING, number, offset)
        for number, (name, rows) in enumerate(given.items())
        for offset, row in enumerate(rows)
    ]
    return sorted(rows, key=lambda row: row.time)


def stream_like(given: dict[str, list[dict[str, Any]]], seed: int) -> list[list[Row]]:
    """Rows like those of an example, by partition: out of order, some late, some repeated."""
    random = np.random.default_rng([seed, 17])
    partitions: list[list[Row]] = []
    for name, rows in given.items():
        for mine in _by_partition(_drawn(rows, random)):
            partitions.append(_partition(name, mine, len(partitions)))
    return partitions


def _drawn(rows: list[dict[str, Any]], random: np.random.Generator) -> list[dict[str, Any]]:
    """Rows with the texts of the example, and numbers near its numbers."""
    found: list[dict[str, Any]] = []
    base = np.sort(random.integers(0, _SPAN, _ROWS))
    for second in (base + random.integers(-12, 6, _ROWS)).tolist():
        if found and random.random() < _REPEATED:
            found.append({**found[-1], **_numbers(found[-1], random)})
            continue
        row = dict(rows[int(random.integers(len(rows)))])
        found.append({**row, **_numbers(row, random), "at": second})
    return found


def _numbers(row: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """Other numbers in the place of those of a row, and null for some."""
    changed: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, float):
            number = round(value + float(random.normal(0, 1 + abs(value))), 1)
            changed[name] = None if random.random() < _MISSING else number
    return changed


def _by_partition(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows with the same texts are of one key, and in one partition."""
    keys = [repr([value for value in row.values() if isinstance(value, str)]) for row in rows]
    numbers = {key: at % _PARTITIONS for at, key in enumerate(sorted(set(keys)))}
    found: dict[int, list[dict[str, Any]]] = {}
    for key, row in zip(keys, rows, strict=True):
        found.setdefault(numbers[key], []).append(row)
    return list(found.values())


def _partition(name: str, rows: list[dict[str, Any]], number: int) -> list[Row]:
    times = np.array([START + row["at"] * SECOND for row in rows], np.int64)
    watermarks, _ = running_watermarks(times, BEGINNING, OUT_OF_ORDERNESS)
    marked = zip(rows, times.tolist(), watermarks.tolist(), strict=True)
    return [
        Row(name, row, time, watermark, number, offset)
        for offset, (row, time, watermark) in enumerate(marked)
    ]


def interleaved(stream: list[list[Row]], random: np.random.Generator) -> list[Row]:
    """All rows in an order in which they may arrive."""
    turns = np.repeat(np.arange(len(stream)), [len(rows) for rows in stream])
    at = [iter(rows) for rows in stream]
    return [next(at[number]) for number in random.permutation(turns)]


def watermarks_after(rows: list[Row], partitions: int) -> list[int]:
    """The watermark of the stream after each row: the smallest of its partitions' watermarks."""
    newest = [BEGINNING] * partitions
    found = []
    for row in rows:
        newest[row.partition] = max(newest[row.partition], row.time - OUT_OF_ORDERNESS)
        found.append(min(newest))
    return found


def end_of(stream: list[list[Row]]) -> int:
    """The watermark at the end of the stream."""
    return min(max(row.time for row in rows) - OUT_OF_ORDERNESS for rows in stream)


def batch_of(rows: list[Row], shape: Shape) -> pa.RecordBatch:
    """Rows as one batch in the schema of all inputs."""
    batches = [
        united(_batch([row], shape.inputs[row.input]), row.input, shape.schema)
        if list(shape.inputs) != [""]
        else _batch([row], shape.schema)
        for row in rows
    ]
    return pa.concat_batches(batches)


def _batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    system: dict[str, Any] = {
        EVENT_TIME: timestamps(np.array([row.time for row in rows], np.int64)),
        "_watermark": timestamps(np.array([row.watermark for row in rows], np.int64)),
        "_partition": [row.partition for row in rows],
        "_offset": [row.offset for row in rows],
        "_index": [0] * len(rows),
    }
    arrays = []
    for field in schema:
        values = system.get(field.name)
        if values is None:
            values = [row.columns.get(field.name) for row in rows]
        arrays.append(values if isinstance(values, pa.Array) else pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
