"""Rows of several keys in order of event time, and what computes columns from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tocsin.kernels.batch import Int64s


@dataclass(frozen=True)
class Ordered:
    """Rows in order of (key, event time, arrival).

    rows: what `compared` gives of them. starts: the first row of each key, and at the end the
    number of rows. times: microseconds. known: the time before which every row has arrived.
    """

    rows: pa.RecordBatch
    starts: Int64s
    times: Int64s
    known: int

    @property
    def first(self) -> Int64s:
        """The first row of each row's key."""
        return np.repeat(self.starts[:-1], np.diff(self.starts))

    @property
    def end(self) -> Int64s:
        """The row after the last of each row's key."""
        return np.repeat(self.starts[1:], np.diff(self.starts))


class OrderedColumns(Protocol):
    """Computes columns from rows in order. Each method returns one value or array item a row."""

    def compared(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """What `columns_of` and `needed` see of rows: few columns, because many rows are kept."""

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The added columns of all rows."""

    def alone(self, rows: pa.RecordBatch) -> list[Any]:
        """The added columns of rows that arrived too late to be put in order."""

    def changed(self, rows: pa.RecordBatch, added: list[Any]) -> pa.RecordBatch:
        """The rows, if the added columns change those that they had; the schema stays."""

    def needed(self, ordered: Ordered) -> Any:
        """Which of the emitted rows later ones will need: a bool a row."""


def last_rows(ordered: Ordered, count: int) -> Any:
    """The last `count` rows of each key: a bool a row."""
    return ordered.end - np.arange(len(ordered.times)) <= count
