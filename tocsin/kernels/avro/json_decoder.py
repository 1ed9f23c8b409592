"""JSON messages as columns. A message holds one object or an array of objects."""

from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

from tocsin.kernels.avro.decode import Decoded
from tocsin.kernels.avro.types import NO_DEFAULT, Leaf
from tocsin.kernels.batch import TIMESTAMP


class JsonDecoder:
    """A decoder of JSON objects whose members are the fields of a record schema.

    Timestamps are ISO 8601 texts with a zone, or milliseconds since 1970.
    """

    def __init__(self, leaves: list[Leaf]) -> None:
        self.leaves = leaves
        self.schema = pa.schema([pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in leaves])
        self._is_flat = all(
            len(leaf.path) == 1 and not pa.types.is_nested(leaf.type) for leaf in leaves
        )
        self._needs_all = [
            leaf.name for leaf in leaves if leaf.default is not NO_DEFAULT or not leaf.nullable
        ]

    def decode(self, values: list[bytes]) -> Decoded:
        """Decode all messages. An unreadable message becomes a fault and affects no other."""
        batch = self._fast(values) if self._is_flat and values else None
        if batch is not None:
            return Decoded(batch, np.arange(len(values)), [])
        rows: list[int] = []
        faults: list[tuple[int, str]] = []
        columns: list[list[Any]] = [[] for _ in self.leaves]
        for position, value in enumerate(values):
            try:
                loaded = json.loads(value)
                readings = [
                    self._row(item) for item in (loaded if isinstance(loaded, list) else [loaded])
                ]
            except (ValueError, TypeError, RecursionError) as error:
                faults.append((position, f"not a JSON reading: {str(error)[:160]}"))
                continue
            for reading in readings:
                rows.append(position)
                for column, item in zip(columns, reading, strict=True):
                    column.append(item)
        arrays = [pa.array(c, leaf.type) for c, leaf in zip(columns, self.leaves, strict=True)]
        return Decoded(
            pa.RecordBatch.from_arrays(arrays, schema=self.schema), np.array(rows, np.int64), faults
        )

    def _fast(self, values: list[bytes]) -> pa.RecordBatch | None:
        """All messages in one pass of Arrow's parser.

        None if they are not all plain objects of this schema.
        """
        if any(b"\n" in value or value[:1] != b"{" for value in values):
            return None
        for times in (pa.string(), pa.int64()):
            fields = [
                pa.field(f.name, times if f.type == TIMESTAMP else f.type) for f in self.schema
            ]
            options = pa.json.ParseOptions(
                explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"
            )
            try:
                table = pa.json.read_json(BytesIO(b"\n".join(values)), parse_options=options)
                if len(table) != len(values) or any(
                    table.column(name).null_count for name in self._needs_all
                ):
                    return None
                return pa.RecordBatch.from_arrays(
                    [_instants(table.column(f.name).combine_chunks(), f.type) for f in self.schema],
                    schema=self.schema,
                )
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
        return None

    def _row(self, item: Any) -> list[Any]:
        if not isinstance(item, dict):
            raise TypeError("expected an object")
        return [_member(item, leaf) for leaf in self.leaves]


def _instants(column: Any, kind: Any) -> Any:
    if kind == TIMESTAMP and pa.types.is_integer(column.type):
        return column.cast(pa.timestamp("ms", tz="UTC")).cast(kind)
    return column.cast(kind)


def _member(item: dict[str, Any], leaf: Leaf) -> Any:
    value: Any = item
    for step in leaf.path:
        value = value.get(step, NO_DEFAULT) if isinstance(value, dict) else NO_DEFAULT
    if value is NO_DEFAULT:
        if leaf.default is NO_DEFAULT and not leaf.nullable:
            raise ValueError(f"no member '{'.'.join(leaf.path)}'")
        value = None if leaf.default is NO_DEFAULT else leaf.default
    if value is None:
        return None
    if leaf.type == TIMESTAMP:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            if parsed.tzinfo is None:
                raise ValueError(f"'{value}' has no time zone")
            return parsed
        return pa.scalar(int(value), pa.timestamp("ms", tz="UTC")).cast(TIMESTAMP).as_py()
    return pa.scalar(value, leaf.type).as_py()
