"""A sensor that falls silent."""

from __future__ import annotations

from tocsin.api import Detector, Duration, Floats, Param, Recurrence, format_duration


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    return 0.0, float("nan")


class MissingData(Detector):
    """A sensor that falls silent: no reading for a time. A null reading is no reading.

    The alarm starts at the last reading plus that time, in event time, whether or not the sensor ever speaks again, and is
    cleared by its next reading. The end of a bounded input is not silence.
    """

    after: Duration = Param(help="time without a reading", examples=["10 min"])

    start = (0.0,)
    step = Recurrence(_step)

    def silence_after(self) -> int | None:
        return self.after

    def expectation(self, expected: float) -> str:
        return f"a reading at least every {format_duration(self.after)}"

    examples = [({"after": "10 min"}, [1.0, 2.0], [0.0, 0.0])]
