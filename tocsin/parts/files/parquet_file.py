"""Parquet files of any writer in the columns of a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from tocsin.foundation.failure import Failure
from tocsin.foundation.faults import Fault
from tocsin.foundation.sandbox import pinned
from tocsin.kernels.avro.avro_file import FilePiece
from tocsin.kernels.avro.json_values import scalar
from tocsin.kernels.avro.total import Decoded, total
from tocsin.kernels.avro.types import NO_DEFAULT, Leaf
from tocsin.kernels.batch import Int64s, no_rows
from tocsin.kernels.foreign_types import converted, usual_type

# What Arrow raises for a damaged file; a name in it that is no UTF-8 is a ValueError.
UNREADABLE = (OSError, pa.ArrowException, ValueError)
_FOOTERS: dict[tuple[str, int, int], pa.Schema] = {}


def footer(path: str) -> pa.Schema:
    """The columns of a file.

    Raises:
        ValueError: if the file cannot be read, with its name. The result is kept until the file
            changes.
    """
    try:
        with pinned(path) as opened:
            about = Path(opened).stat()
            return _footer(path, opened, about.st_mtime_ns, about.st_size)
    except UNREADABLE as error:
        raise ValueError(f"cannot read {path}: {_reason(error)}") from None


def _footer(path: str, opened: str, changed: int, size: int) -> pa.Schema:
    key = (path, changed, size)
    if key not in _FOOTERS:
        _FOOTERS[key] = parquet.read_schema(opened)
    return _FOOTERS[key]


def leaves_of(schema: pa.Schema) -> list[Leaf]:
    """The columns that a file brings, in the types that every part handles.

    Columns that start with an underscore are left out: they are system columns of a lake.
    """
    return [
        Leaf((field.name,), usual_type(field.type), field.nullable, NO_DEFAULT, (), None)
        for field in schema
        if not field.name.startswith("_")
    ]


def check_columns(path: str, leaves: list[Leaf]) -> None:
    """Check that a file has the columns, in types that can be read as theirs.

    Raises:
        Fault: with the file and the column.
    """
    try:
        schema = footer(path)
    except ValueError as error:
        raise Fault(str(error), "files") from None
    for leaf in leaves:
        if schema.names.count(leaf.path[0]) > 1:
            raise Fault(f"{path} has the column '{leaf.path[0]}' twice", "files")
        try:
            _column(no_rows(schema), leaf)
        except KeyError:
            there = ", ".join(schema.names)
            raise Fault(f"{path} has no column '{leaf.name}' (columns: {there})", "files") from None
        except (ValueError, NotImplementedError):
            kind = _found(no_rows(schema), leaf).type
            raise Fault(
                f"{path}: column '{leaf.name}' is {kind}, which is not read as {leaf.type}",
                "files",
            ) from None


def count_of_rows(path: str) -> int:
    """The number of rows. Raises Failure with the file's name."""
    try:
        return int(_parquet(path).metadata.num_rows)
    except UNREADABLE as error:
        raise Failure(f"cannot read {path}: {_reason(error)}") from None


def first_number(path: str, name: str) -> float | None:
    """The first value of a column of numbers, or None."""
    try:
        batches = _parquet(path).iter_batches(64, columns=[name])
        values = next(batches).column(0).drop_null()
        return float(values[0].as_py()) if len(values) else None
    except (*UNREADABLE, StopIteration, TypeError):
        return None


def least_value(path: str, name: str) -> pa.Array | None:
    """The least value of a column of times or integers, by the footer, as an array of one value.

    None where the footer does not say it.
    """
    try:
        file = _parquet(path)
        kind, at = file.schema_arrow.field(name).type, file.schema_arrow.get_field_index(name)
        if not (pa.types.is_timestamp(kind) or pa.types.is_integer(kind)):
            return None
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        # With nested columns, the numbers of the file's columns are others.
        columns = [group.column(at) for group in groups if group.num_rows]
        known = [one.statistics for one in columns if one.path_in_schema == name]
        if not columns or len(known) < len(columns):
            return None
        if not all(one is not None and one.has_min_max for one in known):
            return None
        return pa.array([min(one.min for one in known)], kind)
    except (*UNREADABLE, KeyError, IndexError, TypeError):
        return None


def _parquet(path: str) -> parquet.ParquetFile:
    with pinned(path) as opened:
        return parquet.ParquetFile(opened, coerce_int96_timestamp_unit="us")


@dataclass(frozen=True)
class ParquetPiece(FilePiece):
    """Some rows of a file. `extra` holds further columns, as the file has them."""

    extra: pa.RecordBatch | None = None


def parquet_file(
    path: str, leaves: list[Leaf], extra: list[str], rows: int
) -> Iterator[ParquetPiece]:
    """The rows of a file in its order.

    A value that does not fit is a fault of its row. A damaged part of a row group is one fault, and
    the rest of that row group is lost.

    Args:
        path: the file.
        leaves: the columns.
        extra: columns that are also read, unchanged.
        rows: rows of each piece; some have fewer.

    Raises:
        OSError: if the disk fails.
    """
    wanted = pa.schema([pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in leaves])
    for found in _batches(path, leaves, extra, rows):
        if isinstance(found, _Damage):
            faults = [(0, f"rows are not readable: {found.reason}")]
            decoded = Decoded(no_rows(wanted), np.zeros(0, np.int64), faults)
            yield ParquetPiece(decoded, None, found.rows)
        else:
            decoded = total(found.num_rows, wanted, _Cast(found, leaves, wanted))
            yield ParquetPiece(decoded, None, found.num_rows, found)


@dataclass(frozen=True)
class _Damage:
    rows: int
    reason: str


def _batches(
    path: str, leaves: list[Leaf], extra: list[str], rows: int
) -> Iterator[pa.RecordBatch | _Damage]:
    file = _parquet(path)
    there = set(file.schema_arrow.names)
    heads = [path[0] for leaf in leaves for path in _paths(leaf)]
    columns = list(dict.fromkeys([*(name for name in heads if name in there), *extra]))
    end = 0
    try:
        for batch in file.iter_batches(rows, columns=columns):
            yield batch
            end += batch.num_rows
    except UNREADABLE as error:
        if getattr(error, "errno", None) is not None:
            raise
    # Again, row group by row group, from the one that holds the first row not yet read, if any.
    first = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if first + count > end:
            yield from _of_group(file, group, columns, rows, end - first)
            end = first + count
        first += count


def _of_group(
    file: Any, group: int, columns: list[str], rows: int, skip: int
) -> Iterator[pa.RecordBatch | _Damage]:
    read, count = 0, file.metadata.row_group(group).num_rows
    try:
        for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
            read += batch.num_rows
            if read > skip:
                yield batch.slice(max(batch.num_rows - (read - skip), 0))
    except UNREADABLE as error:
        yield _Damage(count - max(read, skip), _reason(error))


@dataclass(frozen=True)
class _Cast:
    """Gives some rows in the types of a schema."""

    batch: pa.RecordBatch
    leaves: list[Leaf]
    wanted: pa.Schema

    def __call__(self, rows: Int64s) -> Decoded:
        whole = len(rows) == self.batch.num_rows
        some = self.batch if whole else self.batch.take(pa.array(rows))
        columns = []
        for leaf in self.leaves:
            try:
                columns.append(_column(some, leaf))
            except ValueError as error:
                raise ValueError(f"column '{leaf.name}': {error}") from None
        return Decoded(
            pa.RecordBatch.from_arrays(columns, schema=self.wanted), np.arange(len(rows)), []
        )


def _column(batch: pa.RecordBatch, leaf: Leaf) -> Any:
    """A column in its type. Raises KeyError where the file lacks it and it has no default."""
    found = _found(batch, leaf)
    if found is None:
        if leaf.default is NO_DEFAULT and not (leaf.nullable and leaf.kind is not None):
            raise KeyError(leaf.name)
        default = None if leaf.default is NO_DEFAULT else scalar(leaf.kind, leaf.default)
        missing = pa.scalar(None, leaf.type) if default is None else default
        return pa.repeat(missing, batch.num_rows)
    column = converted(found, leaf.type, leaf.kind)
    if column.null_count and not leaf.nullable:
        raise ValueError("it is null, and the schema needs a value")
    # A file may hold bytes that are no text. Readers of the lake would fail on them.
    if pa.types.is_string(column.type) or pa.types.is_nested(column.type):
        column.validate(full=True)
    return column


def _found(batch: pa.RecordBatch, leaf: Leaf) -> Any:
    """The column of a leaf: a member of a struct, or a flat column with the leaf's name."""
    for path in _paths(leaf):
        if path[0] not in batch.schema.names:
            continue
        column = batch.column(path[0])
        for step in path[1:]:
            kind = column.type
            if not pa.types.is_struct(kind) or kind.get_field_index(step) < 0:
                break
            column = pc.struct_field(column, [step])
        else:
            return column
    return None


def _paths(leaf: Leaf) -> list[tuple[str, ...]]:
    """Where a file may have the column: as a member of a struct, flat, or under an alias."""
    return [leaf.path, (leaf.name,), *leaf.aliases]


def _reason(error: BaseException) -> str:
    """The first line of an error, without what Arrow and the system add to it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).splitlines()
    return (lines[0].split(". ")[0].rstrip(".") if lines else type(error).__name__)[:240]
