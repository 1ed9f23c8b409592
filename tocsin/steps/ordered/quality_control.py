"""The QualityControl step: a quality flag for every reading, and the reasons."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels import quality_tests
from tocsin.kernels.aggregation.accumulators import numbers
from tocsin.kernels.batch import EVENT_TIME, WATERMARK, Floats, Int64s, micros
from tocsin.kernels.expressions.typing import kind_of, unknown_column
from tocsin.parts.fields import Duration
from tocsin.parts.part import Param, Part
from tocsin.steps.ordered.ordered_rows import Ordered
from tocsin.steps.ordered.ordered_step import OrderedStep

Span = tuple[float, float]
_VALUE, _DELAY = "value", "delay"


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

    def compared(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The value, NaN for a missing one; for `delay` also the delay, microseconds."""
        columns = {_VALUE: pa.array(numbers(rows.column(self.of)))}
        if self.tests.delay is not None:
            times, watermarks = micros(rows.column(EVENT_TIME)), micros(rows.column(WATERMARK))
            columns[_DELAY] = pa.array(watermarks - times)
        return pa.RecordBatch.from_pydict(columns)

    def columns_of(self, ordered: Ordered) -> list[Any]:
        """The flags of all rows."""
        _, t, x, starts = _with_values(ordered)
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
        return self._flagged(ordered.rows, found)

    def alone(self, rows: pa.RecordBatch) -> list[Any]:
        """The flags of rows that arrived too late for the tests that need others."""
        compared = self.compared(rows)
        count = int((~np.isnan(_values(compared))).sum())
        others = [name for name in self._made() if name not in ("gross_range", "delay")]
        unknown = {name: np.full(count, quality_tests.UNKNOWN, np.int8) for name in others}
        return self._flagged(compared, unknown)

    def _flagged(
        self, compared: pa.RecordBatch, found: dict[str, quality_tests.Flags]
    ) -> list[Any]:
        """Flags and bits of all rows. found: by test, the flags of the rows with values."""
        tests, x = self.tests, _values(compared)
        here = np.flatnonzero(~np.isnan(x))
        if tests.gross_range is not None:
            found["gross_range"] = quality_tests.gross_range(
                x[here], tests.gross_range.fail, tests.gross_range.suspect
            )
        if tests.delay is not None:
            delays = compared.column(_DELAY).to_numpy()[here]
            found["delay"] = quality_tests.delay(np.zeros_like(delays), delays, tests.delay.longest)
        flags = np.full(len(x), quality_tests.MISSING, np.int8)
        flags[here] = quality_tests.worst(list(found.values()))
        bits = np.zeros(len(x), np.int32)
        for name, one in found.items():
            bits[here] |= np.where(
                one >= quality_tests.SUSPECT, quality_tests.bit_of(name), 0
            ).astype(np.int32)
        return [pa.array(flags), pa.array(bits)]

    def needed(self, ordered: Ordered) -> Any:
        """Rows with values that tests look back to.

        The last one of a sensor; for `stuck` its last equal values and the one before them; for
        `flat_line` its first one and those that may be the least or the greatest of a later span.
        """
        here, t, x, starts = _with_values(ordered)
        kept = np.zeros(len(here), bool)
        kept[starts[1:] - 1] = True
        tests = self.tests
        if tests.stuck is not None:
            kept |= quality_tests.last_equal(x, starts, tests.stuck.count)
        if tests.flat_line is not None:
            span = max(tests.flat_line.suspect, tests.flat_line.fail or 0)
            quality_tests.mark_extremes(t, x, starts, span, kept)
        needed = np.zeros(len(ordered.times), bool)
        needed[here[kept]] = True
        return needed

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


def _values(compared: pa.RecordBatch) -> Floats:
    values: Floats = compared.column(_VALUE).to_numpy()
    return values


def _with_values(ordered: Ordered) -> tuple[Int64s, Int64s, Floats, Int64s]:
    """The rows with values: their numbers, times and values, and the first of each sensor."""
    x = _values(ordered.rows)
    here = np.flatnonzero(~np.isnan(x))
    starts = np.unique(np.searchsorted(here, ordered.starts).astype(np.int64))
    return here, ordered.times[here], x[here], starts
