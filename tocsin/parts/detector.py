"""Detectors: how unusual each reading of a sensor is. A score of 1 is the alarm line everywhere."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

import numpy as np
from pydantic import PrivateAttr

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.recurrence import Recurrence
from tocsin.kernels.sensor_state import Layout, SensorState
from tocsin.parts.part import Part


class Detector(Part):
    """Scores one sensor's readings in time order, and keeps a state of fixed size for each sensor.

    Declare the state as a class `State(SensorState)`. Then write one of:

    - `step(x, t, parameters, state)`: one reading to (score, expected). A static method, which is
      compiled and run over all sensors at once. It changes `state` by assignment.
    - `score(x, t, state)`: NumPy over the readings of one sensor; gives the scores.
    - `score_many(x, t, starts, states)`: all sensors at once, where neither of these will do.

    Missing readings (null, NaN) score NaN and leave the state as it was. Infinite readings score
    infinity and leave the state as it was. Neither reaches `step` or `score`.
    """

    State: ClassVar[type[SensorState]] = SensorState
    step: ClassVar[Callable[..., tuple[float, float]] | None] = None
    # Microseconds of silence after which a sensor is missing; None: silence is not judged.
    silence: ClassVar[int | None] = None

    # Whether it judges several columns together: `x` is then a row a reading, and a reading
    # with a missing column is missing.
    several: ClassVar[bool] = False
    _columns: int = PrivateAttr(1)

    # Score under which a reading is normal again, where the job does not set one.
    clear_below: ClassVar[float] = 1.0

    def of_columns(self, count: int) -> Self:
        """The same detector for `count` columns."""
        copy = self.model_copy()
        copy._columns = count  # noqa: SLF001 - its own copy
        return copy

    @property
    def column_count(self) -> int:
        """How many columns it judges together."""
        return self._columns

    def layout(self) -> Layout:
        """Where each field of `State` is in a sensor's row of numbers."""
        return Layout.of(self.State, self)

    def start_state(self) -> tuple[float, ...]:
        """The row of numbers of a sensor before its first reading."""
        return self.layout().start

    def parameters(self) -> Any:
        """What `step` gets as `parameters`: a named tuple of numbers that is the same for all rows.

        By default the parameters that are numbers, by name; an absent number is NaN. Override it
        where `step` needs something that is computed once.
        """
        kind = _parameters_of(type(self))
        values = (getattr(self, name) for name in kind._fields)
        return kind(*(np.nan if value is None else value for value in values))

    @classmethod
    @cache
    def recurrence(cls) -> Recurrence | None:
        """`step` with the loop that runs it over all readings; None where there is no `step`."""
        return None if cls.step is None else Recurrence(cls.step, cls.State)

    def silence_after(self) -> int | None:
        """Microseconds without a reading after which a sensor is missing.

        None: silence is not judged.
        """
        return self.silence

    def feed_silence_after(self) -> int | None:
        """Microseconds without a reading of any sensor after which the whole feed is silent.

        None: that is not judged.
        """
        return None

    def usual(self, time: float) -> str:
        """A name for `expected` at a time (seconds since 1970), such as "its usual Monday level".

        Empty where `expected` is a number and no more.
        """
        return ""

    def expectation(self, expected: float) -> str:
        """What would have been normal, in words. expected: from `step`, or NaN."""
        return "" if np.isnan(expected) else f"about {expected:.4g}"

    def score(self, x: Floats, t: Floats, state: Any) -> Floats:
        """Scores of one sensor's finite readings `x` at event times `t` (seconds).

        state: an instance of `State`, which this changes. By default, `step` in plain Python: the
        oracle of the compiled form.
        """
        recurrence = self.recurrence()
        if recurrence is not None:
            return recurrence.run_plain(x, t, state, self.parameters())[0]
        if type(self).score_many is Detector.score_many:
            raise NotImplementedError
        rows = state.rows.reshape(1, -1)
        return self.score_many(x, t, np.array([0, len(x)], np.int64), rows)[0]

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        """Scores and expected values of many sensors' readings.

        starts: the first row of each sensor, and the end. states: one row a sensor, which this
        changes; `self.layout().view(states)` gives its columns by name.
        """
        layout, recurrence = self.layout(), self.recurrence()
        if recurrence is not None:
            return recurrence.run(x, t, starts, states, self.parameters(), layout)
        columns = x if x.ndim == 2 else x.reshape(-1, 1)
        finite = np.asarray(np.isfinite(columns).all(axis=1))
        infinite = ~finite & ~np.isnan(columns).any(axis=1)
        scores = np.where(infinite, np.inf, np.nan)
        for segment in range(len(starts) - 1):
            rows = np.arange(starts[segment], starts[segment + 1])
            rows = rows[finite[rows]]
            if len(rows):
                scores[rows] = self.score(x[rows], t[rows], layout.view(states[segment]))
        return scores, np.full(len(x), np.nan)


@cache
def _parameters_of(detector: type[Detector]) -> Any:
    """The named tuple of a detector's numeric parameters."""
    numeric = [
        name for name, field in detector.model_fields.items() if _is_numeric(field.annotation)
    ]
    return namedtuple(f"{detector.__name__}Parameters", numeric)  # noqa: PYI024 - names are data


def _is_numeric(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(isinstance(value, int) for value in get_args(annotation))
    return annotation in {int, float, bool, float | None, int | None}


def width_of(detector: Detector) -> int:
    """Numbers of state a sensor."""
    return detector.layout().width
