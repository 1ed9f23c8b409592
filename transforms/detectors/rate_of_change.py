"""Change a second."""

from __future__ import annotations

from math import isnan, nan

from tocsin.api.detector import Detector, Param, SensorState


class RateOfChange(Detector):
    """How fast a value changes from one reading to the next, over the greatest normal rate.

    The first reading scores 0. A second reading at the same event time has no rate and scores NaN.
    Source: IOOS, Manual for real-time quality control (QARTOD), rate of change test.
    """

    per_second: float = Param(
        help="greatest normal change a second, in the unit of the column", gt=0, examples=[2.0]
    )

    class State(SensorState):
        """The value and the event time (seconds) of the last reading."""

        value: float = nan
        time: float = 0.0

    @staticmethod
    def step(x: float, t: float, parameters: RateOfChange, state: State) -> tuple[float, float]:
        value, time = state.value, state.time
        state.value, state.time = x, t
        if isnan(value):
            return 0.0, x
        if t <= time:
            return nan, value
        return abs(x - value) / (t - time) / parameters.per_second, value

    def expectation(self, expected: float) -> str:
        return f"a change of at most {self.per_second:g} a second from {expected:.4g}"

    examples = [({"per_second": 2.0}, [1.0, 2.0, 6.0, 6.0], [0.0, 0.5, 2.0, 0.0])]
