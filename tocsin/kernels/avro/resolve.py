"""Avro's schema resolution on columns, from the writer's columns to the reader's.

A field that the writer lacks takes the reader's default. A field that the reader lacks is dropped.
int widens to long, float and double, long to float and double, and float to double. string and
bytes read as one another. Fields match by name or alias.

Source: Apache Avro specification, Schema Resolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro.types import NO_DEFAULT, Leaf, kind_at, leaves

_WIDER = {
    pa.int32(): (pa.int64(), pa.float32(), pa.float64()),
    pa.int64(): (pa.float32(), pa.float64()),
    pa.float32(): (pa.float64(),),
    pa.string(): (pa.binary(),),
    pa.binary(): (pa.string(),),
}
_UNITS = {"millis": (1000, 1), "micros": (1, 1), "nanos": (1, 1000)}
_LIMIT = 2**62


class Resolution:
    """The conversion of a writer's columns to a reader's columns.

    Raises:
        ValueError: if the reader schema cannot read the writer's data.
    """

    def __init__(self, writer: list[Leaf], reader: list[Leaf]) -> None:
        by_path = {leaf.path: leaf for leaf in writer}
        self.schema = pa.schema([pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in reader])
        self._sources: list[str | pa.Scalar] = []
        for leaf in reader:
            found = next(
                (by_path[path] for path in (leaf.path, *leaf.aliases) if path in by_path), None
            )
            if found is not None:
                self._check(found, leaf)
                self._sources.append(found.name)
            elif leaf.default is NO_DEFAULT:
                raise ValueError(
                    f"the writer's schema has no field '{leaf.name}', "
                    "and the reader's has no default"
                )
            else:
                self._sources.append(_default(leaf))

    @staticmethod
    def _check(writer: Leaf, reader: Leaf) -> None:
        if writer.type != reader.type and reader.type not in _WIDER.get(writer.type, ()):
            if pa.types.is_nested(writer.type) and writer.type.id == reader.type.id:
                return
            raise ValueError(
                f"field '{reader.name}' was written as {writer.type}, "
                f"which does not read as {reader.type}"
            )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The reader's columns, in the reader's order."""
        columns = []
        for source, field in zip(self._sources, self.schema, strict=True):
            column = (
                batch.column(source)
                if isinstance(source, str)
                else pa.repeat(source, batch.num_rows)
            )
            columns.append(column if column.type == field.type else column.cast(field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _default(leaf: Leaf) -> Any:
    value = leaf.default
    if isinstance(value, str) and pa.types.is_binary(leaf.type):
        value = value.encode("latin-1")
    if pa.types.is_temporal(leaf.type) and value is not None:
        return pa.scalar(value, pa.int64()).cast(leaf.type)
    return pa.scalar(value, leaf.type)


def widen(batch: pa.RecordBatch, record: Any) -> pa.RecordBatch:
    """The batch with nested records flattened and each column in the Arrow type of its Avro type.

    Args:
        batch: raw columns; see `raw_columns`.
        record: their parsed record schema.
    """
    names, columns = [], []
    for leaf in leaves(record):
        column = batch.column(leaf.path[0])
        for step in leaf.path[1:]:
            column = pc.struct_field(column, step)
        kind = kind_at(record, leaf.path)
        names.append(leaf.name)
        columns.append(typed(column, kind, leaf.type))
    return pa.RecordBatch.from_arrays(columns, names=names)


def typed(column: Any, kind: Any, wanted: Any) -> Any:
    """A raw column in the Arrow type `wanted` of its Avro type `kind`. Null stays null."""
    if column.type == wanted:
        return column
    logical = kind.get("logicalType") if isinstance(kind, dict) else None
    if logical and "time" in logical:
        factor, divisor = _UNITS[logical.rpartition("-")[2]]
        ints = (
            column.view(pa.int64())
            if pa.types.is_timestamp(column.type)
            else column.cast(pa.int64())
        )
        return _scaled(ints, factor, divisor).view(wanted)
    if logical == "decimal":
        return _decimals(column, wanted)
    if pa.types.is_list(column.type) and pa.types.is_list(wanted):
        items = typed(
            column.values,
            kind["items"] if not isinstance(kind["items"], list) else "",
            wanted.value_type,
        )
        return pa.ListArray.from_arrays(column.offsets, items, mask=column.is_null())
    return column.cast(wanted)


def _scaled(ints: Any, factor: int, divisor: int) -> Any:
    """Numbers in microseconds. A time that does not fit 64 bits of microseconds becomes null."""
    values = ints.fill_null(0).to_numpy(zero_copy_only=False)
    outside = np.abs(values // divisor) > _LIMIT // factor
    missing = outside | ints.is_null().to_numpy(zero_copy_only=False)
    return pa.array(np.where(outside, 0, values) // divisor * factor, pa.int64(), mask=missing)


def _decimals(column: Any, wanted: Any) -> Any:
    from decimal import Decimal

    def value(raw: bytes | None) -> Decimal | None:
        if raw is None:
            return None
        return Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(-wanted.scale)

    return pa.array([value(raw) for raw in column.to_pylist()], wanted)


def raw_columns(records: list[dict[str, Any]], record: Any) -> pa.RecordBatch:
    """Decoded records as columns. Logical types stay plain numbers; nested records are structs."""
    fields = [pa.field(field["name"], _raw_type(field["type"])) for field in record["fields"]]
    arrays = [pa.array([r[field.name] for r in records], field.type) for field in fields]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _raw_type(kind: Any) -> Any:
    from tocsin.kernels.avro.types import arrow_type, without_null

    kind, _ = without_null(kind)
    if isinstance(kind, dict):
        if kind.get("logicalType"):
            return _raw_type(kind["type"]) if kind["type"] != "fixed" else pa.binary()
        if kind["type"] == "record":
            return pa.struct([pa.field(f["name"], _raw_type(f["type"])) for f in kind["fields"]])
        if kind["type"] == "array":
            return pa.list_(_raw_type(kind["items"]))
        if kind["type"] == "map":
            return pa.map_(pa.string(), _raw_type(kind["values"]))
    return arrow_type(kind)
