"""An error budget that burns too fast."""

from __future__ import annotations

from math import inf

from pydantic import model_validator

from tocsin.api.detector import Detector, Duration, Floats, Param, SensorState, numbers


class BurnRate(Detector):
    """An error budget that burns too fast, by two windows.

    The long window shows that it matters, the short one that it still lasts. Takes the bad share
    of each interval, from 0 to 1. The score is the lower of both windows' burn rates over
    `factor`; a rate of 1 uses up exactly the budget of the whole period. An interval without a
    measurement is unknown and does not count. Scores 0 until a quarter of the long window was
    measured. State: 16 bytes an interval of the long window.

    Raises ValueError for windows that do not fit together.
    Source: Google, The Site Reliability Workbook (2018), chapter 5.
    """

    objective: float = Param(0.999, help="share that has to be good", gt=0, lt=1)
    factor: float = Param(
        14.4, help="burn rate at the alarm line: 14.4 uses 2 % of a month's budget in an hour", gt=0
    )
    long: Duration = Param("1 h", help="length of the long window", validate_default=True)
    short: Duration = Param("5 min", help="length of the short window", validate_default=True)
    interval: Duration = Param(
        "1 min", help="time from one reading to the next", validate_default=True
    )

    class State(SensorState):
        """Event times (seconds) and bad shares in a ring, and where the next one goes."""

        place: float = 0.0
        times: Floats = numbers("intervals", start=-inf)
        bad: Floats = numbers("intervals")

    @property
    def intervals(self) -> int:
        """Intervals of the long window."""
        return -(-self.long // self.interval)

    @staticmethod
    def step(x: float, t: float, parameters: BurnRate, state: State) -> tuple[float, float]:
        times, bad, place = state.times, state.bad, int(state.place)
        times[place], bad[place] = t, x
        state.place = (place + 1) % len(times)
        long, short = parameters.long / 1e6, parameters.short / 1e6
        total_long, count_long, total_short, count_short = 0.0, 0.0, 0.0, 0.0
        for at in range(len(times)):
            age = t - times[at]
            if age < long:
                total_long += bad[at]
                count_long += 1.0
                if age < short:
                    total_short += bad[at]
                    count_short += 1.0
        budget = 1.0 - parameters.objective
        if count_long < max(parameters.long // parameters.interval / 4, 1.0):
            return 0.0, parameters.factor * budget
        burn = min(total_long / count_long, total_short / count_short) / budget
        return burn / parameters.factor, parameters.factor * budget

    @model_validator(mode="after")
    def _windows(self) -> BurnRate:
        if not 0 < self.interval <= self.short < self.long:
            raise ValueError(
                "`interval` is at most as long as `short`, and that is shorter than `long`"
            )
        if self.long // self.interval > 10_000:
            raise ValueError("`long` holds over 10,000 intervals")
        return self

    def expectation(self, expected: float) -> str:
        return f"a bad share of less than {expected:.4g} over both windows"

    examples = [
        (
            {"objective": 0.9, "factor": 2.0, "long": "4 s", "short": "1 s", "interval": "1 s"},
            [0.0, 0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 5 / 3, 2.5, 0.0],
        )
    ]
