"""The QualityControl step: a quality flag for every reading, and the reasons."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels import quality_tests
from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.batch import EVENT_TIME, WATERMARK, micros
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param, Part
from tocsin.steps.ordered.ordered_rows import Ordered
from tocsin.steps.ordered.ordered_step import OrderedStep

Span = tuple[float, float]


class GrossRange(Part):
    """Outside the range of the sensor, or of expected values."""

    fail: Span = Param(help="range of the sensor, as [low, high]")
    suspect: Span | None = Param(None, help="range of expected values, inside of `fail`")

    @model_validator(mode="after")
    def _inside(self) -> GrossRange:
        low, high = self.suspect or self.fail
        if not self.fail[0] <= low <= high <= self.fail[1]:
            raise ValueError("`suspect` lies inside of `fail`, and each is [low, high]")
        return self


class Spike(Part):
    """Far from the values before and after."""

    suspect: float = Param(help="distance, in the column's unit", gt=0)
    fail: float | None = Param(None, help="distance from which it fails", gt=0)
    method: Literal["average", "differential"] = Param(
        "average",
        help="distance from the mean of both neighbours, or the smaller of both steps if they have "
        "opposite directions",
    )


class RateOfChangeTest(Part):
    """Changes too fast."""

    per_second: float = Param(help="fastest change that is good, in the column's unit", gt=0)


class FlatLineTest(Part):
    """No change for a time."""

    suspect: Duration = Param(help="time without a change")
    fail: Duration | None = Param(None, help="time from which it fails, longer than `suspect`")
    tolerance: float = Param(0.0, help="smaller changes do not count, in the column's unit", ge=0)


class Stuck(Part):
    """The same value repeatedly."""

    count: int = Param(help="number of consecutive identical readings", ge=2, le=1000)


class TimeGap(Part):
    """No reading for a time before it."""

    longest: Duration = Param(help="time since the reading before")


class Delay(Part):
    """Arrived too late."""

    longest: Duration = Param(help="time by which its partition's watermark is ahead of it")


class Tests(Part):
    """The tests, by name."""

    gross_range: GrossRange | None = Param(
        None, help="outside the range of the sensor, or of expected values"
    )
    spike: Spike | None = Param(
        None, help="far from the values before and after; needs `lookahead`"
    )
    rate_of_change: RateOfChangeTest | None = Param(None, help="changes too fast")
    flat_line: FlatLineTest | None = Param(None, help="no change for a time")
    stuck: Stuck | None = Param(None, help="the same value repeatedly")
    time_gap: TimeGap | None = Param(None, help="no reading for a time before it")
    delay: Delay | None = Param(None, help="arrived too late")


class QualityControl(OrderedStep):
    """Adds a QARTOD flag to every reading, and bits for the tests that it did not pass.

    Flags: 1 good, 2 not tested, 3 suspect, 4 failed, 9 missing. Bits: 1 gross range, 2 spike, 4
    rate of change, 8 flat line, 16 stuck, 32 time gap, 64 delay. Readings are tested in order of
    event time, whatever their order of arrival. A late reading gets only the tests that need no
    other reading, and stays in the output, so windows include it. No reading is dropped: later
    steps decide by the flag.
    """

    in_a_job = {
        "config": {
            "by": ["sensor_id"],
            "of": "value",
            "tests": {"gross_range": {"fail": [0, 1000]}, "stuck": {"count": 10}},
        }
    }

    passes_late: ClassVar[bool] = True
    keeps: ClassVar[str] = "the readings that those to come are compared with"

    of: str = Param(help="column to test")
    tests: Tests = Param(help="the tests to run")
    lookahead_time: Duration = Param(
        "0 s",
        alias="lookahead",
        help="how long a reading waits for the next one, for `spike`; whole seconds",
        validate_default=True,
    )
    flag: str = Param("flag", help="name of the column with the flag")
    reasons: str = Param("flag_reasons", help="name of the column with the bits")

    @model_validator(mode="after")
    def _fits(self) -> QualityControl:
        if self.lookahead_time % 1_000_000:
            raise ValueError("`lookahead` is a whole number of seconds")
        if not self._made():
            raise ValueError("`tests` names no test")
        if (self.tests.spike is not None) != bool(self.lookahead_time):
            raise ValueError("`spike` needs `lookahead`, and that is for `spike` only")
        return self

    def _made(self) -> list[str]:
        return [
            name for name in type(self.tests).model_fields if getattr(self.tests, name) is not None
        ]

    def lookahead(self) -> int:
        """How long rows wait."""
        return self.lookahead_time

    def added(self, schema: pa.Schema) -> list[pa.Field]:
        """Flag and bits. Raises Faults."""
        collector = Collector()
        with collector:
            if self.of not in schema.names:
                raise Fault(unknown_column(self.of, schema), "of")
            if kind_of(schema.field(self.of).type) != "number":
                raise Fault(
                    f"'{self.of}' is {schema.field(self.of).type}; numbers are tested", "of"
                )
        for key, name in (("flag", self.flag), ("reasons", self.reasons)):
            with collector:
                if name in schema.names or name.startswith("_"):
                    raise Fault(
                        f"there is a column '{name}' already, or it starts with an underscore", key
                    )
        collector.done()
        return [pa.field(self.flag, pa.int8()), pa.field(self.reasons, pa.int32())]

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The flags of all rows."""
        x = numbers(ordered.rows.column(self.of))
        here = np.flatnonzero(~np.isnan(x))
        starts = np.unique(np.searchsorted(here, ordered.starts).astype(np.int64))
        t, x = ordered.times[here], x[here]
        tests = self.tests
        found: dict[str, quality_tests.Flags] = {}
        if tests.spike is not None:
            found["spike"] = quality_tests.spike(
                x, starts, tests.spike.suspect, tests.spike.fail, tests.spike.method
            )
            # The reading did not wait long enough for the next value.
            far = np.r_[np.diff(t) > self.lookahead_time, False][: len(t)]
            found["spike"][far] = quality_tests.UNKNOWN
        if tests.rate_of_change is not None:
            found["rate_of_change"] = quality_tests.rate_of_change(
                t, x, starts, tests.rate_of_change.per_second
            )
        if tests.flat_line is not None:
            flat = tests.flat_line
            found["flat_line"] = quality_tests.flat_line(
                t, x, starts, flat.tolerance, flat.suspect, flat.fail
            )
        if tests.stuck is not None:
            found["stuck"] = quality_tests.stuck(x, starts, tests.stuck.count)
        if tests.time_gap is not None:
            found["time_gap"] = quality_tests.time_gap(t, starts, tests.time_gap.longest)
        return self._flagged(ordered.rows, here, x, found)

    def alone(self, rows: pa.RecordBatch) -> list[Any]:
        """The flags of rows that arrived too late for the tests that need others."""
        x = numbers(rows.column(self.of))
        here = np.flatnonzero(~np.isnan(x))
        others = [name for name in self._made() if name not in ("gross_range", "delay")]
        return self._flagged(
            rows,
            here,
            x[here],
            {name: np.full(len(here), quality_tests.UNKNOWN, np.int8) for name in others},
        )

    def _flagged(
        self, rows: pa.RecordBatch, here: Any, x: Any, found: dict[str, quality_tests.Flags]
    ) -> list[Any]:
        """Flags and bits of all rows. here: rows with values; x: the values; found: their tests."""
        tests = self.tests
        if tests.gross_range is not None:
            found["gross_range"] = quality_tests.gross_range(
                x, tests.gross_range.fail, tests.gross_range.suspect
            )
        if tests.delay is not None:
            times, watermarks = (
                micros(rows.column(EVENT_TIME))[here],
                micros(rows.column(WATERMARK))[here],
            )
            found["delay"] = quality_tests.delay(times, watermarks, tests.delay.longest)
        flags = np.full(rows.num_rows, quality_tests.MISSING, np.int8)
        flags[here] = quality_tests.worst(list(found.values()))
        bits = np.zeros(rows.num_rows, np.int32)
        for name, one in found.items():
            bits[here] |= np.where(
                one >= quality_tests.SUSPECT, quality_tests.bit_of(name), 0
            ).astype(np.int32)
        return [pa.array(flags), pa.array(bits)]

    def needed(self, ordered: Ordered) -> Any:
        """Rows that tests look back to: some with values, and those of the flat line's time."""
        tests = self.tests
        valid = ~np.isnan(numbers(ordered.rows.column(self.of)))
        count = max(2, tests.stuck.count if tests.stuck is not None else 0)
        after = np.cumsum(valid[::-1])[::-1]
        last = np.r_[after, 0][ordered.end]
        kept = after - last <= count
        if tests.flat_line is not None:
            span = max(tests.flat_line.suspect, tests.flat_line.fail or 0)
            newest = ordered.times[ordered.end - 1]
            inside = ordered.times >= newest - span
            # The last one before that time shows that the sensor reported throughout it.
            before = (
                np.r_[inside[1:], True][: len(inside)]
                & ~inside
                & (ordered.end - 1 > np.arange(len(inside)))
            )
            kept |= inside | before
        return kept & valid

    examples = [
        (
            {
                "by": ["sensor_id"],
                "of": "value",
                "tests": {"gross_range": {"fail": [0, 50]}, "stuck": {"count": 3}},
            },
            [("a", 0, 20.0), ("a", 1, 60.0), ("a", 2, 21.0), ("a", 3, 21.0), ("a", 4, 21.0)],
            [
                {"flag": 1, "flag_reasons": 0},
                {"flag": 4, "flag_reasons": 1},
                {"flag": 1, "flag_reasons": 0},
                {"flag": 1, "flag_reasons": 0},
                {"flag": 3, "flag_reasons": 16},
            ],
        )
    ]
