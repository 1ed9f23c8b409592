"""A stuck sensor."""

from __future__ import annotations

from tocsin.api.detector import Detector, Param, SensorState


class FlatLine(Detector):
    """A stuck sensor: the length of the current run of equal readings, over `longest`.

    Readings within `tolerance` of the first reading of the run count as equal.
    Source: IOOS, Manual for real-time quality control (QARTOD), flat line test.
    """

    longest: int = Param(5, help="number of consecutive equal readings at the alarm line", ge=2)
    tolerance: float = Param(0.0, help="in the unit of the column", ge=0)

    class State(SensorState):
        """The first value of the run, and the number of readings in it."""

        value: float = float("nan")
        length: float = 0.0

    @staticmethod
    def step(x: float, _t: float, parameters: FlatLine, state: State) -> tuple[float, float]:
        if abs(x - state.value) <= parameters.tolerance:
            state.length += 1.0
        else:
            state.value, state.length = x, 1.0
        return state.length / parameters.longest, float("nan")

    def expectation(self, expected: float) -> str:
        return f"a change within {self.longest} readings"

    examples = [({"longest": 2}, [7.0, 7.0, 7.0, 8.0], [0.5, 1.0, 1.5, 0.5])]
