"""A labelled series, and folders of them."""

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
"""Readings of a sensor of a file of many that make a series."""
LABEL_NAMES = ("label", "is_anomaly", "anomaly", "labels")


@dataclass(frozen=True)
class Labelled:
    """One sensor's readings in the order of time. t: seconds; x: values, NaN where missing; ranges: of anomalous readings,
    each from the first position to the one after the last; kinds: what each is, or ''; rows: of the readings in their file, where
    that is not in the order of time."""

    name: str
    t: Floats
    x: Floats
    ranges: tuple[tuple[int, int], ...] = ()
    kinds: tuple[str, ...] = field(default=())
    rows: Int64s | None = None

    @property
    def days(self) -> float:
        """From the first to the last reading."""
        return float(self.t[-1] - self.t[0]) / 86_400 if len(self.t) > 1 else 0.0


def ranges_of(labels: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Runs of true labels."""
    edges = np.flatnonzero(np.diff(np.r_[False, labels.astype(bool), False]))
    return tuple((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def read_folder(
    folder: Path,
    value: str | None = None,
    label: str | None = None,
    time: str | None = None,
    by: tuple[str, ...] = (),
) -> list[Labelled]:
    """Every CSV and Parquet file under a folder as a series, named by its path. Raises Failure.

    Columns are found by their usual names where they are not given: value, data; timestamp, time; label, is_anomaly, anomaly.
    Without a time, readings are a second apart; without labels, a series has none. by: columns that tell the sensors of one file
    apart, each of which is a series if it has a few hundred readings.
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
    when = _column(path, table, time, TIME_NAMES)
    labels = _column(path, table, label, LABEL_NAMES)
    used = [
        *(column for column in (when, labels) if column),
        *(str(_column(path, table, column, ())) for column in by),
    ]
    numeric = [f.name for f in table.schema if f.name not in used and _is_number(f.type)]
    what = _column(path, table, value, VALUE_NAMES) or (numeric[0] if numeric else None)
    if what is None:
        raise Failure(f"{path}: no column of numbers (columns: {', '.join(table.schema.names)})")
    if not by:
        return [_series(path, name, table, what, when, labels)]
    keys = pc.binary_join_element_wise(
        *(table.column(column).cast(pa.string()) for column in by), " "
    )
    found = []
    for key in sorted(pc.unique(keys).to_pylist(), key=str):
        mine = table.filter(pc.equal(keys, key))
        if mine.num_rows >= FEWEST:
            found.append(_series(path, f"{name}/{key}", mine, what, when, labels))
    return found


def _series(
    path: Path, name: str, table: pa.Table, what: str, when: str | None, labels: str | None
) -> Labelled:
    x = pc.cast(table.column(what), pa.float64()).to_numpy()
    t = np.arange(len(x), dtype=np.float64) if when is None else _seconds(path, table.column(when))
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
    """A file whose first line is numbers has no header: values, then labels."""
    first = path.open("r", encoding="utf-8").readline().strip().split(",")
    try:
        [float(cell) for cell in first]
    except ValueError:
        return csv.read_csv(path)
    names = ["value", "label"][: len(first)] + [f"column{at}" for at in range(2, len(first))]
    return csv.read_csv(path, csv.ReadOptions(column_names=names))


def _column(path: Path, table: pa.Table, given: str | None, usual: tuple[str, ...]) -> str | None:
    if given is not None:
        if given not in table.schema.names:
            raise Failure(f"{path}: no column '{given}' (columns: {', '.join(table.schema.names)})")
        return given
    names = {name.lower(): name for name in table.schema.names}
    return next((names[name] for name in usual if name in names), None)


def _is_number(kind: pa.DataType) -> bool:
    return any(
        check(kind) for check in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    )


def _seconds(path: Path, column: pa.ChunkedArray) -> Floats:
    """Times as seconds: timestamps and dates, ISO texts, or numbers (seconds; milliseconds where they are that large)."""
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
