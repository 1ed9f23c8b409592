"""Change a second."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    previous, when = state[0], state[1]
    state[0], state[1] = x, t
    if previous != previous:
        return 0.0, x
    if t <= when:
        return float("nan"), previous
    return abs(x - previous) / (t - when) / parameters[0], previous


class RateOfChange(Detector):
    """How fast a value changes against the one before, over the greatest normal rate (QARTOD rate of change test).

    The first reading scores 0; a second reading at the same event time has no rate and scores NaN.
    """

    per_second: float = Param(
        help="greatest normal change a second, in the unit of the column", gt=0, examples=[2.0]
    )

    start = (float("nan"), 0.0)
    step = Recurrence(_step)

    def parameters(self) -> State:
        return (self.per_second,)

    def expectation(self, expected: float) -> str:
        return f"a change of at most {self.per_second:g} a second from {expected:.4g}"

    examples = [({"per_second": 2.0}, [1.0, 2.0, 6.0, 6.0], [0.0, 0.5, 2.0, 0.0])]
