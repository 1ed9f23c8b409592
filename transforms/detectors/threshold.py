"""A limit with hysteresis."""

from __future__ import annotations

from math import isnan, nan
from typing import NamedTuple

from pydantic import model_validator

from tocsin.api.detector import Detector, Param, SensorState, kernel


@kernel
def _score(over: float, back: float, limit: float, exceeded: float) -> float:
    """The score of one side. over: distance beyond the limit; back: that of the clear level."""
    scale = -back if back < 0.0 else max(abs(limit), 1.0)
    score = 1.0 + over / scale
    if exceeded == 1.0 and over > back:
        score = max(score, 1.0)
    return score


class Threshold(Detector):
    """A limit: the score is 1 at the limit, and at least 1 until the value is at the clear level.

    With a clear level, the score falls to 0 there. Without one, the score falls by 1 when the
    value changes by the size of the limit. Raises ValueError for a clear level on the wrong side
    of its limit, and where neither `above` nor `below` is given.
    """

    above: float | None = Param(None, help="alarm at or above, in the unit of the column")
    below: float | None = Param(None, help="alarm at or below, in the unit of the column")
    clear: float | None = Param(
        None, help="level at which an alarm by `above` is over; by default the limit itself"
    )
    clear_low: float | None = Param(None, help="level at which an alarm by `below` is over")

    class State(SensorState):
        """Whether each limit is exceeded: 1 for yes."""

        is_above: float = 0.0
        is_below: float = 0.0

    class Parameters(NamedTuple):
        """Both limits with their clear levels; NaN: no such limit."""

        above: float
        clear_above: float
        below: float
        clear_below: float

    def parameters(self) -> Parameters:
        above = nan if self.above is None else self.above
        below = nan if self.below is None else self.below
        return self.Parameters(
            above,
            above if self.clear is None else self.clear,
            below,
            below if self.clear_low is None else self.clear_low,
        )

    @staticmethod
    def step(x: float, _t: float, parameters: Parameters, state: State) -> tuple[float, float]:
        above, below = parameters.above, parameters.below
        worst, limit = -1e300, above
        if not isnan(above):
            score = _score(x - above, parameters.clear_above - above, above, state.is_above)
            state.is_above = 1.0 if score >= 1.0 else 0.0
            if score > worst:
                worst, limit = score, above
        if not isnan(below):
            score = _score(below - x, below - parameters.clear_below, below, state.is_below)
            state.is_below = 1.0 if score >= 1.0 else 0.0
            if score > worst:
                worst, limit = score, below
        return worst, limit

    @model_validator(mode="after")
    def _sides(self) -> Threshold:
        if self.above is None and self.below is None:
            raise ValueError("needs `above` or `below`")
        if self.clear is not None and (self.above is None or self.clear > self.above):
            raise ValueError("`clear` goes with `above` and is not over it")
        if self.clear_low is not None and (self.below is None or self.clear_low < self.below):
            raise ValueError("`clear_low` goes with `below` and is not under it")
        return self

    def expectation(self, expected: float) -> str:
        bounds = [f"below {self.above:g}"] if self.above is not None else []
        bounds += [f"above {self.below:g}"] if self.below is not None else []
        return " and ".join(bounds)

    examples = [
        (
            {"above": 50.0, "clear": 40.0},
            [30.0, 50.0, 45.0, 40.0, 45.0],
            [-1.0, 1.0, 1.0, 0.0, 0.5],
        ),
        ({"below": 10.0}, [20.0, 10.0, 5.0], [0.0, 1.0, 1.5]),
    ]
