"""Sources: readings of splits, with a position after each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
from pydantic import PrivateAttr, field_validator

from tocsin.foundation.faults import Fault
from tocsin.kernels.batch import (
    SYSTEM_FIELDS,
    Int64s,
    readings_schema,
    with_traits,
)
from tocsin.kernels.time.event_times import is_number, is_text
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
"""The schema of rejected messages and readings.

`value` holds the original bytes, or the row as JSON if a later step rejected it.
"""


@dataclass(frozen=True)
class Split:
    """A part of the input with an order of its own, such as a partition.

    Attributes:
        topic: name of the input.
        partition: number of the split.
        start: first position.
        stop: position after the last one, or None for an unbounded split.
        topic_id: what tells a topic from another of its name, or None if unknown.
    """

    topic: str
    partition: int
    start: int
    stop: int | None
    topic_id: str | None = None

    @property
    def identity(self) -> tuple[str | None, int]:
        """What tells it from every other split of its source, those of an earlier topic too."""
        return self.topic_id, self.partition


@dataclass(frozen=True)
class Fetched:
    """Readings of a split in the order of their positions.

    Attributes:
        batch: the source's columns.
        offsets: offset of each row's message.
        index: position of each row in its message.
        received: arrival time of each row in microseconds, or BEGINNING if unknown.
        position: the next position to read.
        messages: the number of messages read.
        rejected: rows of REJECTS.
        original: gives the key and value of the message of a row.
        end: the position after the last available message, if known.
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


TimeUnit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds"]


class Source(Part):
    """A part that lists splits and reads a split from any position.

    The framework adds event time, watermarks, lateness and checkpoints.
    """

    event_time: str = Param(help="column of the event time", examples=["observed_at"])
    time_unit: TimeUnit | None = Param(
        None,
        help="unit of the event time since 1970, if its column is a plain number or text",
    )
    out_of_orderness: Duration = Param(
        "0 s", help="how far readings of one partition may be out of order", validate_default=True
    )
    allowed_lateness: Duration = Param(
        "0 s", help="how long a window waits for late readings", validate_default=True
    )
    max_future: Duration = Param(
        "5 min",
        help="readings whose event time is further ahead of their arrival are rejected",
        validate_default=True,
    )

    max_ahead: Duration | None = Param(
        None,
        help="readings further ahead of their partition's other messages do not advance its "
        "watermark until most messages are as far; by default all readings advance it",
        validate_default=True,
    )
    units: dict[str, str] = Param(
        {}, help="UCUM codes of columns, such as {value: ug/m3}; they override the schema's"
    )
    linger: Duration = Param(
        "20 ms",
        help="live: how long a source that keeps up waits to fill a batch",
        validate_default=True,
    )

    # Seconds that `read` may wait for readings before it yields None. The framework sets it.
    _wait: float = PrivateAttr(0.1)
    # The most readings that `read` may yield at once, or None for no limit. The framework sets it,
    # so that the steps after the source finish a batch in time.
    _piece: int | None = PrivateAttr(None)

    @field_validator("max_ahead")
    @classmethod
    def _is_a_time(cls, value: int | None) -> int | None:
        if value is not None and value <= 0:
            raise ValueError("`max_ahead` is a time over 0, or null: all readings then count")
        return value

    def fields(self) -> list[pa.Field]:
        """The user's columns.

        Raises:
            Fault: for a mistake in the configuration.
            ValueError: for a schema that cannot be read.
        """
        raise NotImplementedError

    def topic_name(self) -> str:
        """The name of this input in the ledger and the lake."""
        raise NotImplementedError

    def schema_of_rows(self) -> pa.Schema:
        """The schema of the source's rows: the user's columns and the system columns.

        Raises:
            Fault: if the event time column is missing or no time, or a unit is unknown.
        """
        fields = self.fields()
        names = [f.name for f in fields]
        if self.event_time not in names:
            raise Fault(
                f"no column '{self.event_time}' in the readings (columns: {', '.join(names)})",
                "event_time",
            )
        self._check_event_time(next(f.type for f in fields if f.name == self.event_time))
        schema = readings_schema(
            fields, topic=self.topic_name(), allowed_lateness=self.allowed_lateness
        )
        return with_traits(
            schema,
            units=self._checked_units(names),
            out_of_orderness=self.out_of_orderness,
            descriptions={
                name: text for name, text in self.descriptions_of_fields().items() if name in names
            },
        )

    def _check_event_time(self, kind: Any) -> None:
        name = self.event_time
        if pa.types.is_timestamp(kind):
            if self.time_unit is not None:
                raise Fault(
                    f"'{name}' is a timestamp, which has its unit; leave `time_unit` out",
                    "time_unit",
                )
        elif is_number(kind):
            if self.time_unit is None:
                likely = self.likely_time_unit()
                what = (
                    "add `time_unit`: seconds, milliseconds, microseconds or nanoseconds"
                    if likely is None
                    else f"add `time_unit: {likely}`, "
                    "the unit that puts its first value into the years 2000 to 2100"
                )
                raise Fault(f"'{name}' is {kind}, and nothing says its unit; {what}", "event_time")
        elif not is_text(kind):
            raise Fault(
                f"'{name}' is {kind}; an event time is a timestamp, "
                "ISO 8601 text with an offset, or a number with a `time_unit`",
                "event_time",
            )

    def likely_time_unit(self) -> str | None:
        """The unit that numbers in the event time column seem to have, if the source can tell."""
        return None

    def units_of_fields(self) -> dict[str, str]:
        """Units by column that the readings' schema declares."""
        return {}

    def descriptions_of_fields(self) -> dict[str, str]:
        """What the columns mean, as the readings' schema says."""
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
        """The current splits; unbounded if `live`."""
        raise NotImplementedError

    def added(self, known: int, topic_id: str | None) -> list[Split] | None:
        """New splits of a live source, each read from its beginning; None if nobody can say now.

        By default none: the splits do not change.

        Args:
            known: number of splits that are known of this topic.
            topic_id: of the known splits. Splits with another id replace them.
        """
        return []

    def earliest(self, split: Split) -> int | None:
        """A time (microseconds) before which a split has no reading; by default nobody knows.

        An engine may open the split only when the others have come so far. A reading before that
        time is late.
        """
        return None

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        """Batches of a split from the position `start`.

        An unbounded split yields None if there are no readings at present. It ends only where its
        input is gone for ever.
        """
        raise NotImplementedError
