"""The Aggregate step: measures of each window and key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
from pydantic import field_validator, model_validator

from tocsin.foundation.faults import Collector, Fault
from tocsin.kernels.batch import SYSTEM_FIELDS, TIMESTAMP, like, traits, with_traits
from tocsin.kernels.domains.completeness import least_share
from tocsin.kernels.expressions.measured import with_measured
from tocsin.kernels.time.calendar import Calendar, boundaries
from tocsin.kernels.time.durations import format_duration
from tocsin.kernels.time.windows import Session, Sliding, Windows
from tocsin.parts.fields import Duration
from tocsin.parts.operator import Operator
from tocsin.parts.part import Param, Part, need_columns
from tocsin.parts.stateful_step import ShardCount, StatefulStep, column_types
from tocsin.steps.aggregate.gap_filling import GapFillingOperator
from tocsin.steps.aggregate.measures import Measure, Measures, measure
from tocsin.steps.aggregate.missed_windows import late_schema
from tocsin.steps.aggregate.window_operator import WindowOperator

_DAY, _HOUR, _SECOND = 86_400_000_000, 3_600_000_000, 1_000_000
# Windows that a reading may be in at once: each is a row of the state.
_MOST_WINDOWS = 10_080
# Windows without readings between two readings of a key: a year of minutes fits.
_MOST_FILLED = 1_000_000


class Completeness(Part):
    """How much of a window was measured, and how much must be."""

    of: str = Param(
        help="column or expression whose values count", examples=["if(flag < 4, value, null)"]
    )
    cadence: Duration = Param(help="interval between readings", examples=["10 s"])
    rule: str = Param(help="name of the rule for the share that is enough", examples=["eu-2008"])

    @field_validator("rule")
    @classmethod
    def _known(cls, rule: str) -> str:
        least_share(rule)
        return rule

    def measures(self) -> dict[str, str | dict[str, Any]]:
        """The measures that it adds, by column."""
        cadence = format_duration(self.cadence)
        return {
            "n": {"count": {"of": self.of}},
            "expected": {"expected": {"cadence": cadence}},
            "coverage": {"completeness": {"of": self.of, "cadence": cadence}},
            "valid": {"valid": {"of": self.of, "cadence": cadence, "rule": self.rule}},
        }


class Aggregate(StatefulStep):
    """Measures of each window and key.

    Windows are tumbling (`every`), sliding (`window` and `every`), calendar (`calendar`) or session
    (`session`) windows. Emits `window_start`, `window_end`, the `by` columns, the measures, and
    `revision`: 0 for the readings on time; 1, after the allowed lateness, for the keys that have
    late readings too. For each window and key, use the highest revision.

    Readings that come too late for their windows go to `late`. Where windows overlap, a reading can
    miss some and count in others. It then goes to `late`, too, with the columns `missed_windows`,
    `kept_windows`, `first_missed` and `last_missed`.
    """

    in_a_job = {
        "config": {
            "every": "10 min",
            "by": ["sensor_id"],
            "measures": {"mean": "mean(value)", "p95": "p95(value)", "readings": "count()"},
        }
    }

    keeps: ClassVar[str] = "its open windows"

    every: Duration | None = Param(None, help="interval between window starts")
    window: Duration | None = Param(None, help="length of a window; by default as long as `every`")
    session: Duration | None = Param(
        None, help="instead: time without readings of a key after which its window ends"
    )
    calendar: Literal["day", "week", "month"] | None = Param(
        None, help="instead: a window for each local day, week or month"
    )
    time_zone: str = Param(
        "UTC",
        help="of `calendar`; Etc/GMT-1 is one hour ahead of UTC without daylight saving",
        examples=["Europe/Berlin"],
    )
    offset: Duration = Param(0, help="shift of the windows against 1970-01-01T00:00Z")
    fill_gaps: Duration | None = Param(
        None,
        help="emit windows without readings too, for this time after the last reading of a key: "
        "counts are 0, other measures null",
    )
    by: list[str] = Param([], help="columns that identify a group, such as the sensor")
    completeness: Completeness | None = Param(
        None,
        help="adds `n`, `expected`, `coverage` and `valid`: readings, expected readings, their "
        "ratio, and whether it is enough",
    )
    measures: dict[str, str | dict[str, Any]] = Param(
        help="output columns, such as {mean: mean(value)}", min_length=1
    )
    shards: ShardCount = 8

    @model_validator(mode="after")
    def _windows(self) -> Aggregate:
        if sum(one is not None for one in (self.every, self.session, self.calendar)) != 1:
            raise ValueError(
                "needs one of `every` (tumbling and sliding windows), `calendar` and `session`"
            )
        if self.every is None and (self.window is not None or self.offset):
            raise ValueError(
                f"`{'window' if self.window is not None else 'offset'}` goes with `every`"
            )
        if self.calendar is None and self.time_zone != "UTC":
            raise ValueError("`time_zone` goes with `calendar`")
        boundaries("month", self.time_zone)
        if self.fill_gaps is not None and (
            self.session is not None or not self.by or self.fill_gaps <= 0
        ):
            raise ValueError(
                "`fill_gaps` is a time over 0, and goes with keys (`by`) and "
                "with windows that follow one another"
            )
        if self.fill_gaps is not None and self.fill_gaps > _MOST_FILLED * (self.every or 1):
            raise ValueError(f"`fill_gaps` is at most {_MOST_FILLED:,} windows (`every`)")
        for name, value in (
            ("every", self.every),
            ("window", self.window),
            ("session", self.session),
        ):
            if value is not None and (value < 1000 or value % 1000):
                raise ValueError(f"`{name}` must be a whole number of milliseconds, at least 1")
        if self.every is not None and self.window is not None:
            _check_overlap(self.window, self.every)
        return self

    def windows(self) -> Windows:
        """The windows."""
        if self.session is not None:
            return Session(self.session)
        if self.calendar is not None:
            return Calendar(self.calendar, self.time_zone)
        assert self.every is not None
        return Sliding(self.window or self.every, self.every, self.offset)

    def written(self) -> dict[str, str | dict[str, Any]]:
        """All measures, including those of `completeness`."""
        return {
            **self.measures,
            **(self.completeness.measures() if self.completeness is not None else {}),
        }

    def compiled(self, schema: pa.Schema) -> Measures:
        """The measures over an input schema. Raises Fault."""
        windows = self.windows()
        grid = windows.grid(_HOUR) if isinstance(windows, Sliding) else (1, 0)
        found = [measure(name, written, schema) for name, written in self.written().items()]
        return Measures([replace(one, grid=grid) for one in found])

    def output_schema(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the results. Raises Faults."""
        measures = self._checked(schema)
        fields = [
            pa.field("window_start", TIMESTAMP),
            pa.field("window_end", TIMESTAMP),
            *(schema.field(name).with_metadata(None) for name in self.by),
            *Measures(measures).result_fields,
            pa.field("revision", pa.int32()),
            *SYSTEM_FIELDS,
        ]
        known = traits(schema)
        units = {name: unit for name, unit in known.units.items() if name in self.by}
        described = {name: text for name, text in known.descriptions.items() if name in self.by}
        results = with_traits(
            like(schema, fields),
            stage=known.stage + 1,
            keys=tuple(self.by),
            aggregated=True,
            inputs=1,
            units=units,
            periods={},
        )
        length = self._window_length()
        results = with_measured(results, {one.name: one.quantity(length) for one in measures})
        described |= {n: text for n, text in self.written().items() if isinstance(text, str)}
        return with_traits(results, descriptions=described)

    def _checked(self, schema: pa.Schema) -> list[Measure]:
        """The measures, if the configuration fits the input. Raises Faults."""
        collector = Collector()
        with collector:
            twice = set(self.measures) & set(
                self.completeness.measures() if self.completeness is not None else {}
            )
            if twice:
                raise Fault(
                    f"`completeness` gives a column '{min(twice)}' too", "measures", min(twice)
                )
        with collector:
            need_columns(self.by, schema, "by")
        with collector:
            is_behind = bool(traits(schema).stage)
            if is_behind and self.every and (self.every % _SECOND or self.offset % _SECOND):
                raise Fault(
                    "behind a step that puts readings in order, windows are whole seconds", "every"
                )
        taken = {"window_start", "window_end", "revision", *self.by}
        measures: list[Measure] = []
        for name, written in self.written().items():
            with collector:
                if name in taken or name.startswith("_"):
                    raise Fault(
                        f"the name '{name}' is taken by the step itself "
                        "or starts with an underscore",
                        "measures",
                        name,
                    )
                measures.append(measure(name, written, schema))
        collector.done()
        return measures

    def _window_length(self) -> int | None:
        """Microseconds, if all windows have the same length."""
        if self.calendar is None:
            return self.window or self.every
        return _DAY if self.calendar == "day" else None

    def outputs(self, schema: pa.Schema) -> dict[str, pa.Schema]:
        """The results, and the rows that missed windows. Raises Fault."""
        results = self.output_schema(schema)
        return {"output": results, "late": late_schema(schema, self.windows())}

    def operator(self, schema: pa.Schema, rule: str) -> Operator:
        """Keeps partial results of windows; with `fill_gaps`, also of windows without readings."""
        windows = self._window_operator(schema)
        return windows if self.fill_gaps is None else GapFillingOperator(windows, self.fill_gaps)

    def _window_operator(self, schema: pa.Schema) -> WindowOperator:
        return WindowOperator(
            self.outputs(schema), self.windows(), self.compiled(schema), self.by, self.shards
        )

    def state_shape(self, schema: pa.Schema | None) -> str:
        """Partial results."""
        return "partial results of open windows"

    def state_depends_on(self, schema: pa.Schema) -> dict[str, Any]:
        """Keys, shards, windows, and the columns of partial results and what they mean."""
        windows = {name: _as_text(value) for name, value in vars(self.windows()).items()}
        gaps = {} if self.fill_gaps is None else {"fill_gaps": True}
        columns = column_types(self._window_operator(schema).shard_schema)
        measures = {
            f"m{number}": one.accumulated
            for number, one in enumerate(self.compiled(schema).measures)
        }
        return {
            "by": self.by, "windows": windows, "shards": self.shards, "columns": columns,
            "measures": measures, **gaps,
        }  # fmt: skip

    def narrowed(self, columns: set[str]) -> Self:
        """The step without the measures that nothing reads."""
        kept = {name: one for name, one in self.written().items() if name in columns}
        # A column that is read may be a key: a window has rows whatever is measured.
        update = {"measures": kept or self.measures, "completeness": None}
        return self.model_copy(update=update)

    examples = [
        (
            {
                "every": "10 s",
                "by": ["sensor_id"],
                "measures": {"mean": "mean(value)", "n": "count()"},
            },
            [("a", 0, 1.0), ("b", 1, 5.0), ("a", 2, 3.0), ("a", 11, 4.0)],
            [
                {"window_start": 0.0, "sensor_id": "a", "mean": 2.0, "n": 2, "revision": 0},
                {"window_start": 0.0, "sensor_id": "b", "mean": 5.0, "n": 1, "revision": 0},
                {"window_start": 10.0, "sensor_id": "a", "mean": 4.0, "n": 1, "revision": 0},
            ],
        ),
        (
            {
                "window": "30 s",
                "every": "10 s",
                "by": ["sensor_id"],
                "measures": {"most": "max(value)"},
            },
            [("a", 0, 1.0), ("a", 12, 3.0)],
            [
                {"window_start": -20.0, "most": 1.0},
                {"window_start": -10.0, "most": 3.0},
                {"window_start": 0.0, "most": 3.0},
                {"window_start": 10.0, "most": 3.0},
            ],
        ),
        (
            {"session": "5 s", "by": ["sensor_id"], "measures": {"n": "count()"}},
            [("a", 0, 1.0), ("a", 4, 1.0), ("a", 20, 1.0)],
            [{"window_start": 0.0, "window_end": 9.0, "n": 2}, {"window_start": 20.0, "n": 1}],
        ),
        (
            {
                "every": "10 s",
                "fill_gaps": "30 s",
                "by": ["sensor_id"],
                "measures": {"n": "count()"},
            },
            [("a", 0, 1.0), ("a", 31, 1.0)],
            [{"window_start": 10.0 * at, "n": n} for at, n in ((0, 1), (3, 1), (1, 0), (2, 0))],
        ),
    ]


def _as_text(value: Any) -> str:
    """A length of time in seconds."""
    is_length = isinstance(value, int) and not isinstance(value, bool)
    return f"{value / _SECOND:g} s" if is_length else str(value)


def _check_overlap(window: int, every: int) -> None:
    if window < every:
        raise ValueError(
            "`window` is shorter than `every`: readings between windows would be dropped"
        )
    if window // every > _MOST_WINDOWS:
        raise ValueError(
            f"each reading would be in {window // every:,} windows; at most {_MOST_WINDOWS:,}, "
            "such as a week every minute"
        )
