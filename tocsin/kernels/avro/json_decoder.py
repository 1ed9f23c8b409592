"""JSON messages as columns. A message holds one object or an array of objects."""

from __future__ import annotations

import json
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from tocsin.kernels.avro.columns import bounds, outside, times
from tocsin.kernels.avro.json_values import NoValueError, named, reader_of, scalar
from tocsin.kernels.avro.total import Decoded, total
from tocsin.kernels.avro.types import NO_DEFAULT, Leaf, logical_of
from tocsin.kernels.batch import Int64s

_UNFIT = (pa.ArrowException, ValueError, OverflowError)


class JsonDecoder:
    """A decoder of JSON objects whose members are the fields of a record schema.

    A time is an ISO 8601 text with a zone, or a number in the unit of the schema.
    """

    def __init__(self, leaves: list[Leaf]) -> None:
        self.leaves = leaves
        self.schema = pa.schema([pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in leaves])
        self._is_fast = all(len(leaf.path) == 1 and _is_plain(leaf) for leaf in leaves)
        self._needs_all = [
            leaf.name for leaf in leaves if leaf.default is not NO_DEFAULT or not leaf.nullable
        ]
        self._readers = [reader_of(["null", leaf.kind]) for leaf in leaves]
        self._defaults = [_default(leaf) for leaf in leaves]
        # A float would round a decimal's digits.
        exact = any("decimal" in str(leaf.type) for leaf in leaves)
        self._load = json.JSONDecoder(
            parse_constant=_no_number,
            parse_int=_integer,
            parse_float=Decimal if exact else None,
        ).decode

    def decode(self, values: list[bytes]) -> Decoded:
        """Decode all messages. An unreadable message becomes a fault and affects no other."""

        def some(rows: Int64s) -> Decoded:
            chosen = values if len(rows) == len(values) else [values[at] for at in rows.tolist()]
            batch = self._fast(chosen) if self._is_fast and chosen else None
            if batch is not None:
                return Decoded(batch, np.arange(len(chosen)), [])
            return self._slow(chosen)

        return total(len(values), self.schema, some)

    def _slow(self, values: list[bytes]) -> Decoded:
        rows: list[int] = []
        faults: list[tuple[int, str]] = []
        columns: list[list[Any]] = [[] for _ in self.leaves]
        for position, value in enumerate(values):
            try:
                loaded = self._load(value.decode("utf-8-sig"))
                readings = [
                    self._row(item) for item in (loaded if isinstance(loaded, list) else [loaded])
                ]
            except (ValueError, RecursionError) as error:
                faults.append((position, f"not a JSON reading: {str(error)[:240]}"))
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

        None if they are not all plain objects of this schema. Whatever Arrow reads in another way
        than `_slow` must give None here.
        """
        # An object that begins in one message and ends in another has "}\\n{" inside, an error.
        if any(b"\n" in v or v[:1] != b"{" or v[-1:] != b"}" for v in values):
            return None
        text = b"\n".join(values)
        try:
            text.decode()
        except UnicodeDecodeError:
            return None
        for kind in (pa.string(), pa.int64()):
            try:
                return self._parsed(text, len(values), kind)
            except _UNFIT:
                continue
        return None

    def _parsed(self, text: bytes, count: int, of_times: Any) -> pa.RecordBatch | None:
        fields = [pa.field(leaf.name, _parsed_as(leaf.type, of_times)) for leaf in self.leaves]
        options = pa.json.ParseOptions(
            explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"
        )
        # One block: an object larger than a block is an error of Arrow's reader.
        reading = pa.json.ReadOptions(block_size=max(len(text) + 1, 1 << 20), use_threads=False)
        table = pa.json.read_json(BytesIO(text), reading, options)
        if len(table) != count or any(table.column(n).null_count for n in self._needs_all):
            return None
        columns = [_column(table.column(leaf.name).combine_chunks(), leaf) for leaf in self.leaves]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _row(self, item: Any) -> list[Any]:
        if not isinstance(item, dict):
            raise NoValueError("expected an object")
        return [self._member(item, leaf, at) for at, leaf in enumerate(self.leaves)]

    def _member(self, item: dict[str, Any], leaf: Leaf, at: int) -> Any:
        value: Any = item
        for step in leaf.path:
            if value is not NO_DEFAULT and value is not None:
                if not isinstance(value, dict):
                    raise NoValueError(
                        f"'{'.'.join(leaf.path)}': the member around it is not an object"
                    )
                value = value.get(step, NO_DEFAULT)
        if value is NO_DEFAULT:
            if leaf.default is NO_DEFAULT and not leaf.nullable:
                raise ValueError(f"no member '{'.'.join(leaf.path)}'")
            return self._defaults[at]
        if value is None and not leaf.nullable:
            raise ValueError(f"'{'.'.join(leaf.path)}': it is null, and the schema needs a value")
        return named(self._readers[at], value, ".".join(leaf.path))


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _integer(text: str) -> int | float:
    return -0.0 if text == "-0" else int(text)


def _default(leaf: Leaf) -> Any:
    if leaf.default is NO_DEFAULT:
        return None
    value = scalar(leaf.kind, leaf.default)
    return value.value if pa.types.is_temporal(leaf.type) else value.as_py()


def _is_plain(leaf: Leaf) -> bool:
    """Whether Arrow reads the type as `_slow` does."""
    kind = leaf.type
    if pa.types.is_timestamp(kind):
        return bool(kind.tz)
    if pa.types.is_string(kind):
        return bool(leaf.kind == "string")
    return bool(pa.types.is_primitive(kind)) and logical_of(leaf.kind) is None


def _parsed_as(kind: Any, of_times: Any) -> Any:
    if pa.types.is_timestamp(kind):
        return of_times
    # Arrow would round text to 32 bits at once, and a 64-bit float in between rounds otherwise.
    return pa.float64() if kind == pa.float32() else kind


def _column(column: Any, leaf: Leaf) -> Any:
    """A parsed column in its type. Raises an error for values that `_slow` may reject."""
    if pa.types.is_floating(column.type):
        column = column.cast(leaf.type, safe=False)
        if pc.any(pc.invert(pc.is_finite(column))).as_py():
            raise ValueError("not finite")
        return column
    if not pa.types.is_timestamp(leaf.type):
        return column
    logical = str(logical_of(leaf.kind))
    if pa.types.is_string(column.type):
        logical, column = "timestamp-micros", column.cast(leaf.type).view(pa.int64())
    low, high, _ = bounds(logical)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    if outside(values, low, high) is not None:
        raise ValueError("outside")
    mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return times(values, mask, logical, leaf.type)
