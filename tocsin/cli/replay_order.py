"""The rows of a recording in the order of their times, with no more of it in memory than needed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.cli.recording_files import Piece, RecordingFile
from tocsin.foundation.failure import Mistake
from tocsin.kernels.batch import FOREVER, Int64s

# Nanoseconds in each unit of --time-unit.
TIME_UNITS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}
# Faults that are shown; the rest are counted.
_SHOWN = 5


class TimeOrder:
    """Reads a recording twice: first its times, then its rows in the order of the times.

    Rows are held back only while an earlier one may follow, so a file that is in order is never in
    memory as a whole. Rows of equal time keep their order.

    Attributes:
        rows: their number. first, last: microseconds since 1970; None without rows.

    Raises:
        Mistake: for unreadable rows and rows without a time, with their places.
    """

    def __init__(self, file: RecordingFile) -> None:
        self.file = file
        self.rows = 0
        self.first: int | None = None
        self.last: int | None = None
        self._ends: list[int] = []
        lows: list[int] = []
        faults: list[str] = []
        for piece in file.pieces(only=file.time_column):
            times = self._times(piece)
            faults += [f"{place}: {reason}" for place, reason in piece.faults]
            if not len(times):
                continue
            low, high = int(times.min()), int(times.max())
            self.first = low if self.first is None else min(self.first, low)
            self.last = high if self.last is None else max(self.last, high)
            self.rows += len(times)
            self._ends.append(self.rows)
            lows.append(low)
        if faults:
            raise Mistake(_listed(file, faults))
        if self.first is not None and self.first < 0:
            raise Mistake(
                f"{file.path}: '{file.time_column}' begins in {moment(self.first)}; "
                "Kafka has no timestamps before 1970"
            )
        # The smallest time from each piece on.
        self._least = np.minimum.accumulate(np.array([*lows, FOREVER], np.int64)[::-1])[::-1]

    def batches(self) -> Iterator[tuple[pa.RecordBatch, Int64s]]:
        """Batches with the times of their rows in microseconds, in order."""
        held: pa.RecordBatch | None = None
        held_times = np.array([], np.int64)
        read = 0
        for piece in self.file.pieces():
            self._need_values(piece)
            times = np.concatenate([held_times, self._times(piece)])
            rows = piece.batch if held is None else pa.concat_batches([held, piece.batch])
            read += piece.batch.num_rows
            bound = self._least[np.searchsorted(self._ends, read, side="right")]
            if (np.diff(times) < 0).any():
                order = np.argsort(times, kind="stable")
                rows, times = rows.take(pa.array(order)), times[order]
            ready = int(np.searchsorted(times, bound, side="right"))
            if ready:
                yield rows.slice(0, ready), times[:ready]
            held, held_times = rows.slice(ready), times[ready:]

    def _need_values(self, piece: Piece) -> None:
        for leaf in self.file.fields:
            column = piece.batch.column(leaf.name)
            if column.null_count and not leaf.nullable:
                at = int(np.flatnonzero(column.is_null())[0])
                raise Mistake(
                    f"{self.file.path}: {piece.place(at)}: '{leaf.name}' is null, "
                    "and the schema requires a value"
                )

    def _times(self, piece: Piece) -> Int64s:
        name, unit = self.file.time_column, self.file.time_unit
        column = piece.batch.column(name)
        if column.null_count:
            at = int(np.flatnonzero(column.is_null())[0])
            raise Mistake(f"{self.file.path}: {piece.place(at)}: no time in '{name}'")
        try:
            return _micros(column, unit)
        except pa.ArrowException as error:
            raise Mistake(
                f"{self.file.path}: '{name}' holds no times: {error}; a time is a text such as "
                "2026-03-02T10:00:00Z, or an integer whose unit --time-unit names"
            ) from None


def _micros(column: Any, unit: str | None) -> Int64s:
    """Times as microseconds since 1970, rounded down. Raises ArrowInvalid for other values."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        if unit is None:
            raise pa.ArrowInvalid(f"{column.type} without a unit")
        numbers = column.to_numpy(zero_copy_only=False)
        if numbers.dtype.kind == "f":
            return np.asarray(np.round(numbers * (TIME_UNITS[unit] / 1000)), np.int64)
        whole: Int64s = numbers.astype(np.int64)
        return whole // 1000 if unit == "nanoseconds" else whole * (TIME_UNITS[unit] // 1000)
    if not pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", "UTC"))
    cut = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return np.asarray(cut.cast(pa.int64()).to_numpy(), np.int64)


def _listed(file: RecordingFile, faults: list[str]) -> str:
    more = f" and {len(faults) - _SHOWN:,} more" if len(faults) > _SHOWN else ""
    return f"{file.path}: {'; '.join(faults[:_SHOWN])}{more}; nothing was sent"


def moment(micros: int) -> str:
    """A time as text, to the second."""
    try:
        return datetime.fromtimestamp(micros // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{micros:,} us since 1970"
