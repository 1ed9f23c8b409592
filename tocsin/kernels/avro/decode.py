"""Avro values of one writer schema as a batch of the reader's columns, with faults reported."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.kernels.avro.byte_strings import ByteStrings
from tocsin.kernels.avro.program import Program
from tocsin.kernels.avro.records import Records
from tocsin.kernels.avro.resolve import Resolution
from tocsin.kernels.avro.total import Decoded, total
from tocsin.kernels.avro.types import leaves, parse_schema
from tocsin.kernels.avro.walk import Walker
from tocsin.kernels.batch import Int64s


class Decoder:
    """A decoder from one writer schema to one reader schema's columns.

    One compiled loop reads records of plain fields, another one every schema. Both give the same
    rows and the same faults, whatever else is in the batch.

    Args:
        writer: the writer schema, as JSON or parsed.
        reader: the reader schema, as JSON or parsed.
        by: `columns` to read plain records by their own loop, `walk` to read all by the other.

    Raises:
        ValueError: if the reader schema cannot read the writer's data.
    """

    def __init__(
        self, writer: Any, reader: Any, by: Literal["columns", "walk"] = "columns"
    ) -> None:
        program = Program.of(parse_schema(writer))
        self.resolution = Resolution(program, leaves(parse_schema(reader)))
        self.walker = Walker(program)
        records = Records.of(program) if by == "columns" else None
        self._read = self.walker.read if records is None else records.read

    def decode(self, byte_strings: ByteStrings) -> Decoded:
        """Decode all values. An unreadable value becomes a fault and affects no other."""

        def some(rows: Int64s) -> Decoded:
            everything = len(rows) == len(byte_strings)
            return self.resolution.apply(
                self._read(byte_strings if everything else byte_strings.take(rows))
            )

        return total(len(byte_strings), self.resolution.schema, some)


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
