"""Recordings in files, read piece by piece in the columns of an Avro schema."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tocsin.foundation.failure import Failure, Mistake
from tocsin.kernels.avro.json_decoder import JsonDecoder
from tocsin.kernels.avro.types import NO_DEFAULT, Leaf, leaves, parse_schema
from tocsin.kernels.expressions.typing import suggestion
from tocsin.parts.files.parquet_file import UNREADABLE

ROWS = 50_000
"""The most rows of a piece."""

_FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "json"),
}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_TEXTS = ("string", "enum", "bytes", "fixed")
_ARROW_UNITS = {"millis": "ms", "micros": "us", "nanos": "ns"}


@dataclass(frozen=True)
class Piece:
    """Rows of a recording.

    numbers: of the line or row of each. word: `line` or `row`. faults: (place, reason) of the
    unreadable ones.
    """

    batch: pa.RecordBatch
    numbers: Sequence[int]
    word: str
    faults: list[tuple[str, str]]

    def place(self, at: int) -> str:
        """Where a row of the batch is in the file, such as `line 7`."""
        return f"{self.word} {self.numbers[at]:,}"


class RecordingFile:
    """A recording: Parquet (.parquet), CSV (.csv) or JSON lines (.jsonl, .ndjson, .json).

    Its columns are those of the schema, in the schema's types, and the time column if the schema
    lacks it.

    Args:
        path: the file.
        schema: an Avro record as JSON.
        time_column: a column with times.
        time_unit: of times that are numbers without a unit in the schema: seconds, milliseconds,
            microseconds or nanoseconds.

    Raises:
        Mistake: for an unknown format, a schema that is none, or a column that the file lacks.
        Failure: for a file that cannot be read.
    """

    def __init__(self, path: Path, schema: str, time_column: str, time_unit: str | None) -> None:
        self.path = path
        self.format = _format_of(path)
        try:
            fields = leaves(parse_schema(schema))
        except ValueError as error:
            raise Mistake(f"the schema: {error}") from None
        self.fields = [leaf for leaf in fields if len(leaf.path) == 1]
        nested = dict.fromkeys(leaf.path[0] for leaf in fields if len(leaf.path) > 1)
        if nested and self.format != "parquet":
            raise Mistake(
                f"{path}: the schema has the records {', '.join(nested)}; "
                "a recording with nested records must be Parquet"
            )
        self.names = [*(leaf.name for leaf in self.fields), *nested]
        self.has_own_time = time_column not in self.names
        if self.has_own_time:
            self.names.append(time_column)
        self.time_column, self.time_unit = time_column, time_unit

    def need(self, *names: str) -> None:
        """Raise Mistake where the file lacks one of these columns or one that its rows need."""
        known = self.columns()
        if self.format == "json" and not known:
            return  # An empty file, or reading reports the line.
        needed = self.names if self.format == "parquet" else []
        if self.format == "csv":
            needed = [
                leaf.name
                for leaf in self.fields
                if not leaf.nullable and leaf.default is NO_DEFAULT
            ]
        for name in dict.fromkeys([*names, *needed]):
            if name not in known:
                raise Mistake(
                    f"{self.path}: no column '{name}'{suggestion(name, known)} "
                    f"(columns: {', '.join(known)})"
                )

    def columns(self) -> list[str]:
        """The columns of the file, or of its first row."""
        if self.format == "parquet":
            return list(self._parquet().schema_arrow.names)
        with self.path.open(encoding="utf-8", newline="") as lines:
            if self.format == "csv":
                return next(csv.reader(lines), [])
            for line in lines:
                if line.strip():
                    return _members(line)
        return []

    def pieces(self, only: str | None = None) -> Iterator[Piece]:
        """The file in its order. only: the one column that matters; others may be absent."""
        if self.format == "parquet":
            yield from self._of_parquet(self.names if only is None else [only])
        else:
            yield from self._of_text()

    def _parquet(self) -> Any:
        try:
            return parquet.ParquetFile(self.path)
        except UNREADABLE as error:
            raise Failure(f"cannot read {self.path}: {error}") from None

    def _of_parquet(self, names: list[str]) -> Iterator[Piece]:
        fields = {leaf.name: leaf for leaf in self.fields}
        first = 1
        try:
            for batch in self._parquet().iter_batches(ROWS, columns=names):
                columns = [_cast(batch.column(name), fields.get(name)) for name in names]
                numbers = range(first, first + batch.num_rows)
                yield Piece(pa.RecordBatch.from_arrays(columns, names), numbers, "row", [])
                first += batch.num_rows
        except UNREADABLE as error:
            after = f" after row {first - 1:,}" if first > 1 else ""
            raise Failure(f"cannot read {self.path}{after}: {error}") from None

    def _of_text(self) -> Iterator[Piece]:
        fields = self.fields + ([self._time_leaf()] if self.has_own_time else [])
        decoder = JsonDecoder(fields)
        lines = self._csv(fields) if self.format == "csv" else self._json()
        values: list[bytes] = []
        numbers: list[int] = []
        for number, value in lines:
            values.append(value)
            numbers.append(number)
            if len(values) == ROWS:
                yield _decoded(decoder, values, numbers)
                values, numbers = [], []
        if values:
            yield _decoded(decoder, values, numbers)

    def _time_leaf(self) -> Leaf:
        """The time column as a field, if the schema lacks it: texts, or numbers of a unit."""
        kind = {None: "string", "seconds": "double"}.get(self.time_unit, "long")
        field = {"name": self.time_column, "type": kind}
        return leaves(parse_schema({"type": "record", "name": "Time", "fields": [field]}))[0]

    def _json(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line.rstrip(b"\r\n")

    def _csv(self, fields: list[Leaf]) -> Iterator[tuple[int, bytes]]:
        """Each row as a JSON object with the values of the fields; an empty cell is null."""
        texts = {leaf.name: _is_text(leaf) for leaf in fields}
        with self.path.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            for row in rows:
                members = (
                    f"{json.dumps(name)}: {_literal(row[name], texts[name])}"
                    for name in texts
                    if row.get(name)
                )
                yield rows.line_num, ("{" + ", ".join(members) + "}").encode()


def _format_of(path: Path) -> str:
    if path.suffix not in _FORMATS:
        raise Mistake(
            f"{path}: its format is not known; a recording's name ends in {', '.join(_FORMATS)}"
        )
    return _FORMATS[path.suffix]


def _members(line: str) -> list[str]:
    """The members of a JSON object, or of the first object of an array."""
    try:
        found = json.loads(line)
    except ValueError:
        return []
    one = found[0] if isinstance(found, list) and found else found
    return list(one) if isinstance(one, dict) else []


def _is_text(leaf: Leaf) -> bool:
    kind = leaf.kind["type"] if isinstance(leaf.kind, dict) else leaf.kind
    return kind in _TEXTS


def _literal(cell: str, is_text: bool) -> str:
    """A cell as JSON: numbers, true and false as they are, unless the schema wants a text."""
    if not is_text and (_NUMBER.fullmatch(cell) or cell in ("true", "false")):
        return cell
    return json.dumps(cell)


def _cast(column: Any, leaf: Leaf | None) -> Any:
    """A column in the schema's type; an integer is a time in the schema's unit."""
    if leaf is None or column.type == leaf.type:
        return column
    try:
        if pa.types.is_integer(column.type) and pa.types.is_timestamp(leaf.type):
            unit = _ARROW_UNITS[leaf.kind["logicalType"].rpartition("-")[2]]
            column = column.cast(pa.int64()).view(pa.timestamp(unit, leaf.type.tz))
        return column.cast(leaf.type)
    except pa.ArrowException as error:
        raise pa.ArrowInvalid(
            f"column '{leaf.name}' is {column.type}, not {leaf.type} as in the schema: {error}"
        ) from None


def _decoded(decoder: JsonDecoder, values: list[bytes], numbers: list[int]) -> Piece:
    found = decoder.decode(values)
    faults = [
        (f"line {numbers[at]:,}", reason.removeprefix("not a JSON reading: "))
        for at, reason in found.faults
    ]
    return Piece(found.batch, [numbers[at] for at in found.rows.tolist()], "line", faults)
