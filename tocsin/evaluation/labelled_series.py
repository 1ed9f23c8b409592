"""Labelled series, and how to read a folder of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from tocsin.foundation.failure import Failure
from tocsin.kernels.batch import Floats, Int64s

VALUE_NAMES = ("value", "data", "x")
TIME_NAMES = ("timestamp", "time", "observed_at", "datetime", "date", "ts", "ds")
FEWEST = 300
"""The fewest readings of a sensor that make a series, in files with several sensors."""
LABEL_NAMES = ("label", "is_anomaly", "anomaly", "labels")


@dataclass(frozen=True)
class Labelled:
    """One sensor's readings in order of time.

    Attributes:
        name: of the series.
        t: seconds.
        x: values, NaN where missing.
        ranges: anomalous readings, each from the first position to the one after the last.
        kinds: kind of each range, or ''; empty if unknown.
        rows: position of each reading in its file; None for series without a file.
    """

    name: str
    t: Floats
    x: Floats
    ranges: tuple[tuple[int, int], ...] = ()
    kinds: tuple[str, ...] = field(default=())
    rows: Int64s | None = None

    @property
    def days(self) -> float:
        """Days from the first to the last reading."""
        return float(self.t[-1] - self.t[0]) / 86_400 if len(self.t) > 1 else 0.0


def ranges_of(labels: np.ndarray) -> tuple[tuple[int, int], ...]:
    """The runs of true labels, each from its first position to the one after its last."""
    edges = np.flatnonzero(np.diff(np.r_[False, labels.astype(bool), False]))
    return tuple((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def read_folder(
    folder: Path,
    value: str | None = None,
    label: str | None = None,
    time: str | None = None,
    by: tuple[str, ...] = (),
) -> list[Labelled]:
    """The CSV and Parquet files under a folder, each as a series with the name of its path.

    Args:
        folder: is searched with its subfolders.
        value: column of values; None for the usual names, or the first column of numbers.
        label: column of labels, anomalous where above 0; None for the usual names, or no labels.
        time: column of times; None for the usual names, or readings one second apart.
        by: columns that identify the sensors of a file. Each sensor with at least `FEWEST` readings
            is then a series.

    Raises:
        Failure: there is no file, a file is unreadable, or lacks a column.
    """
    files = sorted(
        path for path in folder.rglob("*") if path.suffix in (".csv", ".parquet", ".out")
    )
    if not files:
        raise Failure(f"no .csv or .parquet file under {folder}")
    named = [(path, str(path.relative_to(folder).with_suffix(""))) for path in files]
    return [one for path, name in named for one in _read(path, name, value, label, time, by)]


def _read(
    path: Path,
    name: str,
    value: str | None,
    label: str | None,
    time: str | None,
    by: tuple[str, ...],
) -> list[Labelled]:
    try:
        table = parquet.read_table(path) if path.suffix == ".parquet" else _read_csv(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise Failure(f"{path}: {error}") from None
    times = _column(path, table, time, TIME_NAMES)
    labels = _column(path, table, label, LABEL_NAMES)
    used = [
        *(column for column in (times, labels) if column),
        *(str(_column(path, table, column, ())) for column in by),
    ]
    numeric = [f.name for f in table.schema if f.name not in used and _is_number(f.type)]
    values = _column(path, table, value, VALUE_NAMES) or (numeric[0] if numeric else None)
    if values is None:
        raise Failure(f"{path}: no column of numbers (columns: {', '.join(table.schema.names)})")
    if not by:
        return [_series(path, name, table, values, times, labels)]
    keys = pc.binary_join_element_wise(
        *(table.column(column).cast(pa.string()) for column in by), " "
    )
    found = []
    for key in sorted(pc.unique(keys).to_pylist(), key=str):
        mine = table.filter(pc.equal(keys, key))
        if mine.num_rows >= FEWEST:
            found.append(_series(path, f"{name}/{key}", mine, values, times, labels))
    return found


def _series(
    path: Path, name: str, table: pa.Table, values: str, times: str | None, labels: str | None
) -> Labelled:
    x = pc.cast(table.column(values), pa.float64()).to_numpy()
    t = (
        np.arange(len(x), dtype=np.float64)
        if times is None
        else _seconds(path, table.column(times))
    )
    order = np.argsort(t, kind="stable")
    marked = (
        np.zeros(len(x), bool)
        if labels is None
        else pc.cast(table.column(labels), pa.float64()).to_numpy() > 0
    )
    return Labelled(
        name,
        t[order],
        np.asarray(x, np.float64)[order],
        ranges_of(marked[order]),
        rows=order.astype(np.int64),
    )


def _read_csv(path: Path) -> pa.Table:
    """A CSV file. If its first line is numbers, it has no header: values, then labels."""
    first = path.open("r", encoding="utf-8").readline().strip().split(",")
    try:
        [float(cell) for cell in first]
    except ValueError:
        return csv.read_csv(path)
    names = ["value", "label"][: len(first)] + [f"column{at}" for at in range(2, len(first))]
    return csv.read_csv(path, csv.ReadOptions(column_names=names))


def _column(path: Path, table: pa.Table, chosen: str | None, usual: tuple[str, ...]) -> str | None:
    if chosen is not None:
        if chosen not in table.schema.names:
            columns = ", ".join(table.schema.names)
            raise Failure(f"{path}: no column '{chosen}' (columns: {columns})")
        return chosen
    names = {name.lower(): name for name in table.schema.names}
    return next((names[name] for name in usual if name in names), None)


def _is_number(kind: pa.DataType) -> bool:
    return any(
        check(kind) for check in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    )


def _seconds(path: Path, column: pa.ChunkedArray) -> Floats:
    """Times in seconds, from timestamps, dates, ISO 8601 text or numbers.

    Numbers are seconds, or milliseconds where one exceeds 1e11.
    """
    try:
        if pa.types.is_string(column.type):
            column = pc.cast(column, pa.timestamp("us"))
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            micros = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
            return np.asarray(micros.to_numpy() / 1e6, np.float64)
        numbers: Floats = pc.cast(column, pa.float64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise Failure(f"{path}: unreadable time: {error}") from None
    return numbers / 1000 if len(numbers) and np.nanmax(np.abs(numbers)) > 1e11 else numbers
