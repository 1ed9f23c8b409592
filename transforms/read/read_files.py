"""Telemetry from files, for replays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pydantic import PrivateAttr, ValidationInfo, model_validator

from tocsin.api.source import (
    BEGINNING,
    Failure,
    Fault,
    Fetched,
    FilePiece,
    Int64s,
    JudgedPath,
    Leaf,
    Param,
    Source,
    Split,
    TextFile,
    check_columns,
    count_of_lines,
    count_of_rows,
    csv_file,
    descriptions,
    event_micros,
    first_number,
    footer,
    header_for,
    json_lines_file,
    least_value,
    leaves,
    leaves_of,
    likely_unit,
    matching,
    parquet_file,
    parse_schema,
    pinned,
    raw_avro_file,
    readable_folders,
)


class ReadFiles(Source):
    """Reads Parquet, Avro, CSV or JSON lines files, each like a partition of a topic.

    Offsets are row or line numbers, from 0. The end of a file's name says what it holds: .parquet,
    .avro, .csv or .csv.gz; any other file has JSON lines, in .gz compressed ones.

    The columns are those of `schema` or, without it, those of the first file (Parquet only).
    """

    files: str = Param(
        help="path or glob, such as recordings/*.parquet", examples=["recordings/*.parquet"]
    )
    schema_: TextFile | None = Param(
        None,
        help="Avro schema of the readings (.avsc); needed for all files but Parquet",
        alias="schema",
    )
    received: str | None = Param(
        None,
        help="Parquet column with the time of arrival, for `max_future`",
    )
    delimiter: str | None = Param(
        None,
        help="character between the cells of CSV; by default the one of `,` `;` tab `|` that fits",
        pattern=r"^[\x01-\x7f]$",
    )
    batch_rows: int = Param(20_000, help="rows a batch", ge=1, le=200_000)

    _leaves: list[Leaf] | None = PrivateAttr(None)
    # The sandbox of an untrusted job: it judges each file that a glob finds, and again at opening.
    _folders: tuple[str, ...] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _is_allowed(self, info: ValidationInfo) -> ReadFiles:
        self._folders = readable_folders(info.context)
        matching(self.files, self._folders)
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
        return cls(
            files=f"{folder}/*.parquet", event_time="at", time_unit="milliseconds", batch_rows=8
        )

    def topic_name(self) -> str:
        return f"file:{Path(self.files).name}"

    def _paths(self) -> list[str]:
        """The files. Raises ValueError for one that the job may not read."""
        return matching(self.files, self._folders)

    def fields(self) -> list[pa.Field]:
        leaves = self._checked_leaves()
        return [pa.field(leaf.name, leaf.type, leaf.nullable) for leaf in leaves]

    def likely_time_unit(self) -> str | None:
        """The unit that puts the first event time of a Parquet file in the years 2000 to 2100."""
        paths = [path for path in self._paths() if path.endswith(".parquet")]
        number = first_number(paths[0], self.event_time) if paths else None
        return None if number is None else likely_unit(number)

    def _checked_leaves(self) -> list[Leaf]:
        """The columns. Every file is looked at once: its footer, or its header."""
        if self._leaves is None:
            try:
                paths = self._paths()
            except ValueError as error:
                raise Fault(str(error), "files") from None
            found = self._declared_leaves(paths)
            for path in paths:
                self._check_one(path, found)
            self._leaves = found
        return self._leaves

    def _declared_leaves(self, paths: list[str]) -> list[Leaf]:
        if self.schema_ is not None:
            try:
                return leaves(parse_schema(self.schema_.text))
            except ValueError as error:
                raise Fault(f"{self.schema_.path}: {error}", "schema") from None
        if not paths:
            raise Fault(f"no file matches '{self.files}'", "files")
        if not paths[0].endswith(".parquet"):
            raise Fault("only Parquet files bring their own columns; name a `schema`", "schema")
        try:
            return leaves_of(footer(paths[0]))
        except ValueError as error:
            raise Fault(str(error), "files") from None

    def _check_one(self, path: str, found: list[Leaf]) -> None:
        if path.endswith(".parquet"):
            check_columns(path, found)
            if self.received is not None and self.received not in footer(path).names:
                raise Fault(f"{path} has no column '{self.received}'", "received")
        elif _is_csv(path):
            header_for(path, found, self.delimiter, self.event_time)
        else:
            try:
                with pinned(path) as opened:
                    Path(opened).open("rb").close()
            except OSError as error:
                raise Fault(f"cannot read {path}: {error.strerror}", "files") from None

    def descriptions_of_fields(self) -> dict[str, str]:
        return {} if self.schema_ is None else descriptions(parse_schema(self.schema_.text))

    def splits(self, live: bool) -> list[Split]:
        try:
            paths = self._paths()
        except ValueError as error:
            raise Failure(str(error)) from None
        if not paths:
            raise Failure(f"no file matches '{self.files}'")
        return [
            Split(str(Path(path).absolute()), number, 0, self._rows(path))
            for number, path in enumerate(paths)
        ]

    def _rows(self, path: str) -> int:
        if path.endswith(".parquet"):
            return count_of_rows(path)
        if path.endswith(".avro"):
            return max((piece.end for piece in self._pieces(path)), default=0)
        try:
            return count_of_lines(path)
        except OSError as error:
            raise Failure(f"cannot read {path}: {error.strerror}") from None

    def earliest(self, split: Split) -> int | None:
        """By the footer of a Parquet file, if it has one for the event time."""
        if not split.topic.endswith(".parquet"):
            return None
        path = split.topic if self._folders is None else JudgedPath.of(split.topic, self._folders)
        found = least_value(path, self.event_time)
        time = None if found is None else int(event_micros(found, self.time_unit)[0])
        return None if time is None or time <= BEGINNING else time

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        path = split.topic
        if self._folders is not None:
            path = JudgedPath.of(path, self._folders)
        for piece in self._pieces(path):
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
            first, found = self._opened(path)
            for piece in found:
                yield _piece(piece, first, self._received(piece))
                first += piece.count
        except (OSError, ValueError, pa.ArrowException, KeyError) as error:
            raise Failure(f"cannot read {path}: {_reason(error)}") from None
        except Fault as fault:
            # The file has changed since the job was checked.
            raise Failure(str(fault)) from None

    def _opened(self, path: str) -> tuple[int, Iterator[FilePiece]]:
        """The position of the file's first row or line, and its pieces."""
        columns, rows = self._checked_leaves(), self.batch_rows
        if path.endswith(".parquet"):
            extra = [self.received] if self.received else []
            return 0, parquet_file(path, columns, extra, rows)
        if path.endswith(".avro"):
            return 0, self._avro(path)
        if _is_csv(path):
            header = header_for(path, columns, self.delimiter, self.event_time)
            return header.lines, csv_file(path, header, columns, rows)
        return 0, json_lines_file(path, columns, rows)

    def _avro(self, path: str) -> Iterator[FilePiece]:
        assert self.schema_ is not None
        with pinned(path) as opened:
            yield from raw_avro_file(opened, self.schema_.text, self.batch_rows)

    def _received(self, piece: FilePiece) -> Int64s | None:
        extra = getattr(piece, "extra", None)
        if self.received is None or extra is None:
            return None
        times: Int64s = event_micros(extra.column(self.received))
        return times


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_csv(path: str) -> bool:
    return path.endswith((".csv", ".csv.gz"))


def _piece(piece: FilePiece, first: int, received: Int64s | None) -> _Piece:
    """Decoded rows of a file whose first row or line has the number `first`."""
    decoded = piece.decoded
    rejected = [
        {
            "offset": first + at,
            "value": None if piece.values is None else piece.values[at],
            "step": "ReadFiles",
            "reason": "unreadable",
            "message": reason,
        }
        for at, reason in decoded.faults
    ]
    rows = np.asarray(decoded.rows, np.int64)
    arrived = None if received is None else received[rows]
    return _Piece(decoded.batch, first + rows, rejected, first + piece.count, arrived)


@dataclass(frozen=True)
class _Piece:
    """Rows of a file with their numbers, the unreadable lines, and the next position."""

    batch: pa.RecordBatch
    offsets: Int64s
    rejected: list[dict[str, Any]]
    end: int
    received: Int64s | None = None
