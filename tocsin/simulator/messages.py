"""Encodes readings as messages: Avro with Confluent framing, column by column."""

from __future__ import annotations

import json

import pyarrow as pa

from tocsin.kernels.avro.wire import frame
from tocsin.kernels.batch import TIMESTAMP


def encode(batch: pa.RecordBatch, schema: str, schema_id: int = 1) -> list[bytes]:
    """One framed Avro message for each row.

    schema: an Avro record as JSON; its fields choose the columns. Times are converted to its unit.
    schema_id: the id in the frame. Raises KeyError where the batch lacks a column, ArrowInvalid
    where a time is finer than its unit.
    """
    import pyruhvro

    fields = json.loads(schema)["fields"]
    columns, names = [], []
    for field in fields:
        column = batch.column(field["name"])
        if column.type == TIMESTAMP and "millis" in json.dumps(field["type"]):
            column = column.cast(pa.timestamp("ms", tz="UTC"))
        names.append(field["name"])
        columns.append(column)
    rows = pa.RecordBatch.from_arrays(columns, names=names)
    head = frame(schema_id, b"")
    return [
        head + bytes(datum)
        for part in pyruhvro.serialize_record_batch(rows, schema, 1)
        for datum in part.to_pylist()
    ]


def keys_of(batch: pa.RecordBatch, name: str = "sensor_id") -> list[bytes]:
    """The message key of each row: the text of a column."""
    encoded = batch.column(name).dictionary_encode()
    texts = [str(value).encode() for value in encoded.dictionary.to_pylist()]
    return [texts[code] for code in encoded.indices.to_numpy()]
