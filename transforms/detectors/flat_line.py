"""A stuck sensor."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: the value at which the run began, and its length."""
    if abs(x - state[0]) <= parameters[1]:
        state[1] += 1.0
    else:
        state[0], state[1] = x, 1.0
    return state[1] / parameters[0], float("nan")


class FlatLine(Detector):
    """A stuck sensor: length of the current run of equal readings, over the run at the alarm line.

    Readings within `tolerance` of the first of the run count as equal (QARTOD flat line test).
    """

    longest: int = Param(5, help="equal readings in a row at the alarm line", ge=2)
    tolerance: float = Param(0.0, help="in the unit of the column", ge=0)

    start = (float("nan"), 0.0)
    step = Recurrence(_step)

    def parameters(self) -> State:
        return (float(self.longest), self.tolerance)

    def expectation(self, expected: float) -> str:
        return f"a change within {self.longest} readings"

    examples = [({"longest": 2}, [7.0, 7.0, 7.0, 8.0], [0.5, 1.0, 1.5, 0.5])]
