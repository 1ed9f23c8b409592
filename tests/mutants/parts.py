"""Parts that are wrong on purpose, each with the law that must catch it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tocsin.api.aggregation import Aggregation, Column, Floats, Param, accumulator
from tocsin.api.detector import Detector, SensorState, numbers
from tocsin.api.sink import Sink
from tocsin.api.source import BEGINNING, Fetched, Source, Split
from tocsin.api.transform import Outcome, Transform


class Undocumented(Aggregation):
    caught_by: ClassVar[str] = "it_is_documented"
    seen = accumulator("count")
    examples = [({}, [1.0], 1)]


class Unfinished(Aggregation):
    """TODO: what it gives, with its unit."""

    caught_by: ClassVar[str] = "it_is_documented"
    seen = accumulator("count")
    examples = [({}, [1.0], 1)]


class UnfinishedParameter(Aggregation):
    """Number of values, as a part whose parameter has no help text yet."""

    caught_by: ClassVar[str] = "it_is_documented"
    seen = accumulator("count")
    limit: float = Param(1.0, help="TODO: what it does")
    examples = [({}, [1.0], 1)]


class Unpicklable(Aggregation):
    """An aggregation that is another one after it was sent to a worker."""

    caught_by: ClassVar[str] = "it_survives_pickle_and_json"
    limit: float = Param(1.0, help="a number that does not travel")
    examples = [({"limit": 2.0}, [1.0], 1)]

    def __reduce__(self) -> Any:
        return (Unpicklable, ())


class WrongExample(Aggregation):
    """A mean whose example is not true."""

    caught_by: ClassVar[str] = "examples_hold"
    total = accumulator("sum")

    def finish(self, total: Column) -> Column:
        return total

    examples = [({}, [1.0, 2.0], 1.5)]


class CountsItsCalls(Aggregation):
    """A result that depends on how often it was asked for."""

    caught_by: ClassVar[str] = "cutting_the_stream_changes_nothing"
    points = accumulator("points")
    result = pa.float64()

    def finish(self, points: Column) -> Column:
        lengths = pc.list_value_length(points)
        return pc.cast(pc.add(lengths, self._calls()), "double")

    _count: ClassVar[list[int]] = [0]

    def _calls(self) -> int:
        self._count[0] += 1
        return self._count[0]

    examples = [({}, [1.0], 2.0)]


class FirstToArrive(Aggregation):
    """The value that arrived first: it depends on the order of delivery."""

    caught_by: ClassVar[str] = "order_changes_nothing"
    seen = accumulator(
        "sum",
        lambda self, x: pa.array(
            np.where(np.arange(len(x)) == 0, x.fill_null(0.0).to_numpy(zero_copy_only=False), 0.0)
        ),
    )

    def finish(self, seen: Column) -> Column:
        return seen

    examples = [({}, [4.0, 2.0], 4.0)]


class CountsMissing(Aggregation):
    """A count that takes missing readings for readings."""

    caught_by: ClassVar[str] = "missing_readings_change_nothing"
    seen = accumulator("count", lambda self, x: pc.fill_null(x, 0.0))

    def finish(self, seen: Column) -> Column:
        return pc.cast(seen, "double")

    examples = [({}, [1.0], 1.0)]


class WrongScore(Detector):
    """A detector whose example is not true."""

    caught_by: ClassVar[str] = "examples_hold"

    def score(self, x: Floats, t: Floats, state: Any) -> Floats:
        return x * 0.0

    examples = [({}, [1.0], [1.0])]


class Forgetful(Detector):
    """A detector that forgets its state between batches."""

    caught_by: ClassVar[str] = "cutting_the_series_changes_nothing"

    class State(SensorState):
        total: float = 0.0

    def score(self, x: Floats, t: Floats, state: State) -> Floats:
        state.total = 0.0
        return np.cumsum(x) / 100

    examples = [({}, [100.0], [1.0])]


class PeeksAhead(Detector):
    """A detector that uses a series' own maximum: it knows the future."""

    caught_by: ClassVar[str] = "cutting_the_series_changes_nothing"

    def score(self, x: Floats, t: Floats, state: Any) -> Floats:
        return x / x.max()

    examples = [({}, [1.0], [1.0])]


class FastIsAnother(Detector):
    """A detector whose fast form gives other scores than its plain form."""

    caught_by: ClassVar[str] = "vector_equals_scalar"

    @staticmethod
    def step(x: float, t: float, parameters: Any, state: Any) -> tuple[float, float]:
        return x, 0.0

    def score(self, x: Floats, t: Floats, state: Any) -> Floats:
        return x * 2

    examples = [({}, [1.0], [1.0])]


class Shared(Detector):
    """A detector that compares a sensor with all sensors of the batch."""

    caught_by: ClassVar[str] = "sensors_do_not_meet"

    def score(self, x: Floats, t: Floats, state: Any) -> Floats:
        return x

    def score_many(
        self, x: Floats, t: Floats, starts: Any, states: Floats
    ) -> tuple[Floats, Floats]:
        return x - x.mean(), np.full(len(x), np.nan)

    examples = [({}, [1.0], [0.0])]


class Overwrites(Detector):
    """A detector that works in the array that it was given."""

    caught_by: ClassVar[str] = "readings_are_not_changed"

    def score(self, x: Floats, t: Floats, state: Any) -> Floats:
        x -= 1.0
        return x

    def score_many(
        self, x: Floats, t: Floats, starts: Any, states: Floats
    ) -> tuple[Floats, Floats]:
        return self.score(x, t, None), x

    examples = [({}, [1.0], [0.0])]


class MissingIsZero(Detector):
    """A detector that takes a missing reading for zero."""

    caught_by: ClassVar[str] = "missing_readings_change_nothing"

    def score_many(
        self, x: Floats, t: Floats, starts: Any, states: Floats
    ) -> tuple[Floats, Floats]:
        return np.nan_to_num(x), x

    examples = [({}, [1.0], [1.0])]


class Hoarder(Detector):
    """A detector that has room for more readings than a sensor's state may hold."""

    caught_by: ClassVar[str] = "state_is_bounded"

    class State(SensorState):
        readings: Floats = numbers(16_385)

    def score(self, x: Floats, t: Floats, state: State) -> Floats:
        return x

    examples = [({}, [1.0], [1.0])]


class Loses(Transform):
    """A transform that drops rows without a word."""

    caught_by: ClassVar[str] = "every_row_is_accounted_for"

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        return Outcome(batch.slice(0, batch.num_rows // 2))

    examples = [({}, [1.0, 2.0], [1.0])]


class WrongTransform(Transform):
    """A transform whose example is not true."""

    caught_by: ClassVar[str] = "examples_hold"

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        return Outcome(batch)

    examples = [({}, [1.0], [2.0])]


class Centres(Transform):
    """A transform that subtracts the mean of the batch."""

    caught_by: ClassVar[str] = "cutting_the_batch_changes_nothing"

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        column = batch.column("value")
        at = batch.schema.get_field_index("value")
        return Outcome(
            batch.set_column(at, batch.schema.field(at), pc.subtract(column, pc.mean(column)))
        )

    examples = [({}, [1.0], [0.0])]


class Promises(Transform):
    """A transform that gives a column which it did not promise."""

    caught_by: ClassVar[str] = "the_schema_is_as_promised"

    def apply(self, batch: pa.RecordBatch) -> Outcome:
        return Outcome(batch.add_column(0, "extra", batch.column("value")))

    examples = [({}, [1.0], [1.0])]


class Restarts(Source):
    """A source that starts over, whatever position it is given."""

    caught_by: ClassVar[str] = "reading_from_any_position_gives_the_rest"
    kind: ClassVar[Any] = pa.int64()

    @classmethod
    def sample(cls, folder: str) -> Any:
        return cls(event_time="at", time_unit="milliseconds")

    def topic_name(self) -> str:
        return "mutant"

    def fields(self) -> list[pa.Field]:
        return [pa.field("at", self.kind)]

    def splits(self, live: bool) -> list[Split]:
        return [Split("mutant", 0, 0, 10)]

    def read(self, split: Split, start: int) -> Iterator[Fetched | None]:
        batch = pa.RecordBatch.from_pydict({"at": range(10)})
        yield Fetched(batch, np.arange(10), np.zeros(10, np.int64), np.full(10, BEGINNING), 10, 10)


class OtherColumns(Restarts):
    """A source that gives another type than it promised."""

    caught_by: ClassVar[str] = "the_columns_are_as_promised"
    kind: ClassVar[Any] = pa.float64()


class Appends(Sink):
    """A sink that makes a new file each time."""

    caught_by: ClassVar[str] = "writing_a_unit_twice_equals_once"
    folder: Path = Param(help="folder")

    @classmethod
    def sample(cls, folder: str) -> Any:
        return cls(folder=Path(folder))

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        csv.write_csv(batch, self.folder / f"{unit}-{secrets.token_hex(4)}-{os.getpid()}.csv")


class OneFile(Appends):
    """A sink that has one file for all units."""

    caught_by: ClassVar[str] = "units_do_not_meet"

    def write(self, batch: pa.RecordBatch, unit: str) -> None:
        csv.write_csv(batch, self.folder / "all.csv")


MUTANTS = [
    Undocumented,
    Unfinished,
    UnfinishedParameter,
    Unpicklable,
    WrongExample,
    CountsItsCalls,
    FirstToArrive,
    CountsMissing,
    WrongScore,
    Forgetful,
    PeeksAhead,
    FastIsAnother,
    Shared,
    Overwrites,
    MissingIsZero,
    Hoarder,
    Loses,
    WrongTransform,
    Centres,
    Promises,
    Restarts,
    OtherColumns,
    Appends,
    OneFile,
]
