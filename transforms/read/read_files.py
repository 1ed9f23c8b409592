"""Telemetry from files, for replays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pydantic import ValidationInfo, model_validator

from tocsin.api.source import (
    BEGINNING,
    Decoded,
    Failure,
    Fault,
    Fetched,
    Int64s,
    JsonDecoder,
    Param,
    Source,
    Split,
    TextFile,
    arrow_fields,
    check_file,
    descriptions,
    leaves,
    micros,
    parse_schema,
    raw_avro_file,
    total,
)


class ReadFiles(Source):
    """Reads Parquet, Avro or JSON lines files, each like a partition of a topic.

    Offsets are row or line numbers.

    The columns are those of `schema` or, without it, those of the first file (Parquet only).
    """

    files: str = Param(
        help="path or glob, such as recordings/*.parquet", examples=["recordings/*.parquet"]
    )
    schema_: TextFile | None = Param(
        None, help="Avro schema of the readings (.avsc); needed for JSON lines", alias="schema"
    )
    received: str | None = Param(
        None,
        help="Parquet column with the time of arrival, for `max_future`",
    )
    batch_rows: int = Param(20_000, help="rows a batch", ge=1)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> ReadFiles:
        root = Path(self.files.split("*")[0])
        check_file(root if root.is_file() else root.parent, info.context)
        return self

    @classmethod
    def sample(cls, folder: str) -> ReadFiles:
        """Some readings in a folder, for the laws."""
        table = pa.table(
            {
                "sensor": [f"s{n % 3}" for n in range(50)],
                "at": pa.array(range(50), pa.int64()),
                "value": range(50),
            }
        )
        parquet.write_table(table, f"{folder}/readings.parquet", row_group_size=20)
        return cls(files=f"{folder}/*.parquet", event_time="at", batch_rows=8)

    def topic_name(self) -> str:
        return f"file:{Path(self.files).name}"

    def _paths(self) -> list[str]:
        pattern = Path(self.files)
        if pattern.is_file():
            return [self.files]
        root = Path(pattern.anchor or ".")
        return sorted(
            str(path)
            for path in root.glob(
                str(pattern.relative_to(pattern.anchor) if pattern.anchor else pattern)
            )
        )

    def fields(self) -> list[pa.Field]:
        if self.schema_ is not None:
            try:
                return arrow_fields(parse_schema(self.schema_.text))
            except ValueError as error:
                raise Fault(f"{self.schema_.path}: {error}", "schema") from None
        paths = self._paths()
        if not paths:
            raise Fault(f"no file matches '{self.files}'", "files")
        if not paths[0].endswith(".parquet"):
            raise Fault("only Parquet files bring their own columns; name a `schema`", "schema")
        schema = parquet.read_schema(paths[0]).remove_metadata()
        return [field.with_metadata(None) for field in schema if not field.name.startswith("_")]

    def descriptions_of_fields(self) -> dict[str, str]:
        return {} if self.schema_ is None else descriptions(parse_schema(self.schema_.text))

    def splits(self, live: bool) -> list[Split]:
        paths = self._paths()
        if not paths:
            raise Failure(f"no file matches '{self.files}'")
        return [
            Split(str(Path(path).absolute()), number, 0, self._rows(path))
            for number, path in enumerate(paths)
        ]

    def _rows(self, path: str) -> int:
        if path.endswith(".parquet"):
            try:
                return int(parquet.ParquetFile(path).metadata.num_rows)
            except (OSError, pa.ArrowException) as error:
                raise Failure(f"cannot read {path}: {error}") from None
        return max((piece.end for piece in self._pieces(path)), default=0)

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        for piece in self._pieces(split.topic):
            if piece.end <= start:
                continue
            ours = piece.offsets >= start
            rows = piece.batch if ours.all() else piece.batch.filter(pa.array(ours))
            offsets = piece.offsets[ours]
            where = {"topic": split.topic, "partition": split.partition}
            rejects = [
                {**reject, **where} for reject in piece.rejected if reject["offset"] >= start
            ]
            received = (
                np.full(len(offsets), BEGINNING) if piece.received is None else piece.received[ours]
            )
            read = len(offsets) + len(rejects)
            yield Fetched(
                rows, offsets, np.zeros(len(offsets), np.int64), received, piece.end, read, rejects
            )

    def _pieces(self, path: str) -> Iterator[_Piece]:
        """The file in its order."""
        try:
            if path.endswith(".parquet"):
                yield from self._parquet(path)
            elif path.endswith(".avro"):
                yield from self._avro(path)
            else:
                yield from self._json_lines(path)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise Failure(f"cannot read {path}: {error}") from None

    def _avro(self, path: str) -> Iterator[_Piece]:
        assert self.schema_ is not None
        end = 0
        for piece in raw_avro_file(path, self.schema_.text, self.batch_rows):
            yield _piece(piece.decoded, piece.values, end)
            end += piece.count

    def _parquet(self, path: str) -> Iterator[_Piece]:
        fields = pa.schema(self.fields())
        names = dict.fromkeys([*fields.names, *([self.received] if self.received else [])])
        end = 0
        for batch in parquet.ParquetFile(path).iter_batches(self.batch_rows, columns=list(names)):
            decoded = total(batch.num_rows, fields, _cast(batch.select(fields.names), fields))
            received = micros(batch.column(self.received)) if self.received else None
            yield _piece(decoded, None, end, batch.num_rows, received)
            end += batch.num_rows

    def _json_lines(self, path: str) -> Iterator[_Piece]:
        assert self.schema_ is not None
        decoder = JsonDecoder(leaves(parse_schema(self.schema_.text)))
        end = 0
        with Path(path).open("rb") as lines:
            while chunk := [
                line.rstrip(b"\r\n") for line in itertools.islice(lines, self.batch_rows)
            ]:
                yield _piece(decoder.decode(chunk), chunk, end)
                end += len(chunk)


def _cast(batch: pa.RecordBatch, fields: pa.Schema) -> Callable[[Int64s], Decoded]:
    """Gives some rows in the types of `fields`."""

    def cast(rows: Int64s) -> Decoded:
        whole = len(rows) == batch.num_rows
        some = batch if whole else batch.take(pa.array(rows))
        some = some.cast(fields)
        for column in some.columns:
            # A file may hold bytes that are no text. Readers of the lake would fail on them.
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                column.validate(full=True)
        return Decoded(some, np.arange(len(rows)), [])

    return cast


def _piece(
    decoded: Decoded,
    values: list[bytes] | None,
    first: int,
    count: int | None = None,
    received: Int64s | None = None,
) -> _Piece:
    """Decoded rows of a file whose first one has the number `first`."""
    rejected = [
        {
            "offset": first + at,
            "value": None if values is None else values[at],
            "step": "ReadFiles",
            "reason": "unreadable",
            "message": reason,
        }
        for at, reason in decoded.faults
    ]
    rows = np.asarray(decoded.rows, np.int64)
    read = len(values) if values is not None else count or 0
    arrived = None if received is None else received[rows]
    return _Piece(decoded.batch, first + rows, rejected, first + read, arrived)


@dataclass(frozen=True)
class _Piece:
    """Rows of a file with their numbers, the unreadable lines, and the next position."""

    batch: pa.RecordBatch
    offsets: Int64s
    rejected: list[dict[str, Any]]
    end: int
    received: Int64s | None = None
