"""Sources: where readings come from, split by split, with a position after each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import PrivateAttr

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import (
    BEGINNING,
    SYSTEM_FIELDS,
    Int64s,
    micros,
    readings_schema,
    with_traits,
)
from tocsin.kernels.units import kind_of_unit
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param, Part

REJECTS = pa.schema(
    [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("index", pa.int32()),
        pa.field("timestamp", pa.timestamp("us", tz="UTC")),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("step", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("message", pa.string()),
    ]
)
REJECTS_SCHEMA = with_traits(pa.schema([*REJECTS, *SYSTEM_FIELDS]))
"""Rejected messages and readings. `value`: the original bytes, or the row as JSON where a later step rejected it."""


@dataclass(frozen=True)
class Split:
    """A part of the input that is read in order. `stop` is the position after the last, or None for unbounded."""

    topic: str
    partition: int
    start: int
    stop: int | None


@dataclass(frozen=True)
class Fetched:
    """Readings in the order of their positions.

    batch: the source's columns. partition-wide `offsets` and `index` say where each row comes from; `received`: when it
    arrived, microseconds, or BEGINNING where unknown. rejected: rows of REJECTS. messages: how many were read.
    position: where reading goes on. original: key and value of the message that a row comes from. end: the position after
    the last one that is there now, where known.
    """

    batch: pa.RecordBatch
    offsets: Int64s
    index: Int64s
    received: Int64s
    position: int
    messages: int
    rejected: list[dict[str, Any]] = field(default_factory=list)
    original: Callable[[int], tuple[bytes | None, bytes | None]] | None = None
    end: int | None = None


class Source(Part):
    """Gives splits, and reads one from any position. Event time, watermarks, lateness and checkpoints follow."""

    event_time: str = Param(help="column of the event time", examples=["observed_at"])
    out_of_orderness: Duration = Param(
        "0 s", help="how far readings of one partition may be out of order", validate_default=True
    )
    allowed_lateness: Duration = Param(
        "0 s", help="how long a window waits for late readings", validate_default=True
    )
    max_future: Duration = Param(
        "5 min", help="readings further ahead of their arrival are rejected", validate_default=True
    )

    units: dict[str, str] = Param(
        {}, help="UCUM codes of columns, such as {value: ug/m3}, over those of the schema"
    )
    linger: Duration = Param(
        "20 ms",
        help="live: how long all that keep up wait for more readings before they pass them on",
        validate_default=True,
    )

    # Seconds that `read` may wait for readings before it says that there are none: the framework sets it.
    _wait: float = PrivateAttr(0.1)
    # Readings that `read` may give at once, or None for as many as the source likes: the framework sets it, so that what
    # follows is done with a piece in time.
    _piece: int | None = PrivateAttr(None)

    def fields(self) -> list[pa.Field]:
        """The user's columns. Raises Fault or ValueError."""
        raise NotImplementedError

    def topic_name(self) -> str:
        """What the ledger and the lake call this input."""
        raise NotImplementedError

    def schema_of_rows(self) -> pa.Schema:
        """The schema that the source gives: the user's columns and the system columns."""
        fields = self.fields()
        names = [f.name for f in fields]
        if self.event_time not in names:
            raise Fault(
                f"no column '{self.event_time}' in the readings (columns: {', '.join(names)})",
                "event_time",
            )
        kind = next(f.type for f in fields if f.name == self.event_time)
        if not (pa.types.is_timestamp(kind) or kind == pa.int64()):
            raise Fault(
                f"'{self.event_time}' is {kind}; an event time is a timestamp or a long of milliseconds",
                "event_time",
            )
        schema = readings_schema(
            fields, topic=self.topic_name(), allowed_lateness=self.allowed_lateness
        )
        return with_traits(
            schema, units=self._checked_units(names), out_of_orderness=self.out_of_orderness
        )

    def units_of_fields(self) -> dict[str, str]:
        """Units that the readings' own schema says."""
        return {}

    def _checked_units(self, names: list[str]) -> dict[str, str]:
        for name, code in self.units.items():
            if name not in names:
                raise Fault(
                    f"no column '{name}' in the readings (columns: {', '.join(names)})",
                    "units",
                    name,
                )
            try:
                kind_of_unit(code)
            except ValueError as error:
                raise Fault(str(error), "units", name) from None
        return {**self.units_of_fields(), **self.units}

    def splits(self, live: bool) -> list[Split]:
        """The splits as they are now; bounded unless `live`."""
        raise NotImplementedError

    def added(self, known: int) -> list[Split]:
        """Splits that came up since there were `known`; all of each is read. A source whose splits are fixed has none."""
        return []

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        """Batches from a position on; None when there is nothing at present (unbounded splits only)."""
        raise NotImplementedError


def event_micros(column: Any) -> Int64s:
    """An event time column in microseconds; longs are milliseconds; null becomes BEGINNING."""
    if pa.types.is_timestamp(column.type):
        return micros(column)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    missing = column.is_null().to_numpy(zero_copy_only=False) | (np.abs(values) > 2**62 // 1000)
    result: Int64s = np.where(missing, BEGINNING, np.where(missing, 0, values) * 1000)
    return result
