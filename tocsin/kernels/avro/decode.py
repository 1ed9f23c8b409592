"""Avro values of one writer schema as a batch of the reader's columns, with faults reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.records import Records
from tocsin.kernels.avro.resolve import Resolution, raw_columns, widen
from tocsin.kernels.avro.types import is_fast, leaves, parse_schema
from tocsin.kernels.batch import Int64s, no_rows

# Bad messages arrive in bursts. Halving the batch repeatedly costs more than fixed chunks.
_CHUNK = 64


@dataclass(frozen=True)
class Decoded:
    """Decoded values.

    Attributes:
        batch: the reader's columns.
        rows: the position of each row's value in the input.
        faults: (position, reason) of each value that could not be decoded.
    """

    batch: pa.RecordBatch
    rows: Int64s
    faults: list[tuple[int, str]]


class Decoder:
    """A decoder from one writer schema to one reader schema's columns.

    A compiled loop decodes records of plain fields. pyruhvro decodes the other schemas it supports,
    and fastavro the rest.

    Args:
        writer: the writer schema, as JSON or parsed.
        reader: the reader schema, as JSON or parsed.
        by: the first of these decoders to try.

    Raises:
        ValueError: if the reader schema cannot read the writer's data.
    """

    def __init__(
        self, writer: Any, reader: Any, by: Literal["columns", "pyruhvro", "fastavro"] = "columns"
    ) -> None:
        self.writer = parse_schema(writer)
        self.reader = parse_schema(reader)
        self.resolution = Resolution(leaves(self.writer), leaves(self.reader))
        self._records = Records.of(self.writer) if by == "columns" else None
        self.is_fast = by != "fastavro" and is_fast(self.writer)
        self._text = json.dumps(_plain(self.writer))
        self._raw = fastavro.parse_schema(_without_logical_types(self.writer))

    def decode(self, byte_strings: ByteStrings) -> Decoded:
        """Decode all values. An unreadable value becomes a fault and affects no other."""
        if self._records is not None:
            batch, rows, faults = self._records.decode(byte_strings)
            return Decoded(
                self.resolution.apply(batch),
                rows,
                [(at, _SENTENCE.format(reason)) for at, reason in faults],
            )
        values = byte_strings.to_list()
        if not self.is_fast:
            return self._decode_plain(values)
        try:
            return Decoded(self._resolve(self._fast(values)), np.arange(len(values)), [])
        except _BAD:
            return self._decode_piecemeal(values)

    def _fast(self, values: list[bytes]) -> pa.RecordBatch:
        from pyruhvro import deserialize_array

        return deserialize_array(values, self._text)

    def _decode_piecemeal(self, values: list[bytes]) -> Decoded:
        pieces: list[pa.RecordBatch] = []
        rows: list[int] = []
        faults: list[tuple[int, str]] = []
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            try:
                pieces.append(self._resolve(self._fast(chunk)))
                rows += range(start, start + len(chunk))
                continue
            except _BAD:
                pass
            for position, value in enumerate(chunk, start):
                try:
                    pieces.append(self._resolve(self._fast([value])))
                    rows.append(position)
                except _BAD as error:
                    faults.append((position, _reason(error)))
        batch = pa.concat_batches(pieces) if pieces else no_rows(self.resolution.schema)
        return Decoded(batch, np.array(rows, np.int64), faults)

    def _decode_plain(self, values: list[bytes]) -> Decoded:
        records, rows, faults = [], [], []
        for position, value in enumerate(values):
            try:
                records.append(fastavro.schemaless_reader(BytesIO(value), self._raw, None))
                rows.append(position)
            except Exception as error:  # noqa: BLE001 - fastavro raises many
                faults.append((position, _reason(error)))
        return Decoded(
            self._resolve(raw_columns(records, self.writer)), np.array(rows, np.int64), faults
        )

    def resolve_records(self, records: list[dict[str, Any]]) -> pa.RecordBatch:
        """The reader's columns of records whose logical types are still plain numbers."""
        return self._resolve(raw_columns(records, self.writer))

    def _resolve(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return self.resolution.apply(widen(batch, self.writer))


_SENTENCE = "not readable with its schema: {}"
_BAD = (ValueError, UnicodeDecodeError, EOFError, OverflowError, pa.ArrowInvalid)


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return _SENTENCE.format(text[:160])


def _plain(schema: Any) -> Any:
    """A schema without the keys that fastavro adds."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if not key.startswith("__")}
    return [_plain(member) for member in schema] if isinstance(schema, list) else schema


def _without_logical_types(schema: Any) -> Any:
    """The schema of the same bytes as plain numbers, which Arrow converts as on the fast path."""
    if isinstance(schema, dict):
        kept = {
            k: v
            for k, v in schema.items()
            if k not in ("logicalType", "precision", "scale") and k[:2] != "__"
        }
        return {k: _without_logical_types(v) for k, v in kept.items()}
    return (
        [_without_logical_types(member) for member in schema]
        if isinstance(schema, list)
        else schema
    )


def unnest(
    batch: pa.RecordBatch, column: str, rows: Int64s
) -> tuple[pa.RecordBatch, Int64s, Int64s]:
    """One row for each item of a list column, with the message's other columns repeated.

    Fields of a struct item become columns. A message with an empty or null list has no row.

    Args:
        batch: messages.
        column: name of the list column.
        rows: the position of each message in the input.

    Returns:
        The batch, the message position of each row, and each row's index within its message.
    """
    at = batch.schema.get_field_index(column)
    lists = batch.column(at)
    parents = pc.list_parent_indices(lists)
    items = pc.list_flatten(lists)
    others = batch.drop_columns([column]).take(parents)
    names, arrays = list(others.schema.names), list(others.columns)
    if pa.types.is_struct(items.type):
        names += [field.name for field in items.type]
        arrays += items.flatten()
    else:
        names.append(column)
        arrays.append(items)
    owners = parents.to_numpy(zero_copy_only=False)
    index = np.arange(len(owners)) - np.searchsorted(owners, owners)
    return pa.RecordBatch.from_arrays(arrays, names=names), rows[owners], index


def raw_avro_file(path: str, reader: str, rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of an Avro container file in the reader's columns.

    Args:
        path: the file.
        reader: the reader schema as JSON.
        rows: rows of each batch; the last one may have fewer.

    Raises:
        ValueError: if the reader schema cannot read the file.
    """
    with Path(path).open("rb") as stream:
        blocks = fastavro.block_reader(stream)
        decoder = Decoder(_plain(blocks.writer_schema), reader)
        plain = fastavro.parse_schema(_without_logical_types(decoder.writer))
        pending: list[dict[str, Any]] = []
        for block in blocks:
            data = BytesIO(block.bytes_.getvalue())
            pending += [
                fastavro.schemaless_reader(data, plain, None) for _ in range(block.num_records)
            ]
            while len(pending) >= rows:
                yield decoder.resolve_records(pending[:rows])
                pending = pending[rows:]
        if pending:
            yield decoder.resolve_records(pending)
