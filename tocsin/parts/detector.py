"""Detectors: how unusual each reading of a sensor is. A score has one meaning everywhere: 1 is the alarm line."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import PrivateAttr

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.recurrence import Recurrence
from tocsin.parts.part import Part

State = tuple[float, ...]


class Detector(Part):
    """One sensor's readings in time order and its state, to scores and the new state.

    Write `score` (NumPy over one sensor's readings), `step` (a `Recurrence` over one reading, which is compiled and run over all
    sensors at once), or `score_many` where neither will do. State is a fixed number of floats a sensor. Missing readings (null,
    NaN) score NaN and leave the state as it was; infinite ones score infinity and leave it too. `score` never sees either.
    """

    start: ClassVar[State] = ()
    step: ClassVar[Recurrence | None] = None
    # A detector that must speak of a sensor that says nothing overrides this with a time in microseconds.
    silence: ClassVar[int | None] = None

    # Whether it judges several columns together: `x` is then a row a reading, and a missing column is a missing reading.
    several: ClassVar[bool] = False
    _columns: int = PrivateAttr(1)

    # Score under which a reading is normal again, where the job does not say.
    clear_below: ClassVar[float] = 1.0

    def of_columns(self, count: int) -> Self:
        """The same for so many columns."""
        copy = self.model_copy()
        copy._columns = count
        return copy

    def start_state(self) -> State:
        """State of a sensor never seen; override where its length depends on the configuration."""
        return self.start

    def parameters(self) -> State:
        """What `step` gets as `parameters`."""
        return ()

    def silence_after(self) -> int | None:
        """Microseconds without a reading after which a sensor is missing; None: silence is not judged."""
        return self.silence

    def feed_silence_after(self) -> int | None:
        """Microseconds without a reading of any sensor after which the whole feed is silent; None: that is not judged."""
        return None

    def usual(self, time: float) -> str:
        """What `expected` is at this time (seconds since 1970), where that is more than a number: "its usual Monday level"."""
        return ""

    def expectation(self, expected: float) -> str:
        """What would have been normal, in words; `expected` is the second number that `step` gave, or NaN."""
        return "" if np.isnan(expected) else f"about {expected:.4g}"

    def score(self, x: Floats, t: Floats, s: State) -> tuple[Floats, State]:
        """Scores of one sensor's finite readings `x` at event times `t` (seconds), and its new state."""
        if self.step is None:
            if type(self).score_many is Detector.score_many:
                raise NotImplementedError
            states = np.array([s], np.float64)
            return self.score_many(x, t, np.array([0, len(x)], np.int64), states)[0], tuple(
                states[0].tolist()
            )
        state = np.array(s, np.float64)
        scores, _ = self.step.run_plain(x, t, state, np.array(self.parameters(), np.float64))
        return scores, tuple(state)

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        """Scores and expected values of many sensors' readings; `starts` bounds each run; `states` is changed."""
        if self.step is not None:
            return self.step.run(x, t, starts, states, np.array(self.parameters(), np.float64))
        columns = x if x.ndim == 2 else x.reshape(-1, 1)
        finite = np.asarray(np.isfinite(columns).all(axis=1))
        infinite = ~finite & ~np.isnan(columns).any(axis=1)
        scores = np.where(infinite, np.inf, np.nan)
        for segment in range(len(starts) - 1):
            rows = np.arange(starts[segment], starts[segment + 1])
            rows = rows[finite[rows]]
            if len(rows):
                scores[rows], state = self.score(x[rows], t[rows], tuple(states[segment]))
                states[segment] = state
        return scores, np.full(len(x), np.nan)


def width_of(detector: Detector) -> int:
    """Floats of state a sensor."""
    return len(detector.start_state())
