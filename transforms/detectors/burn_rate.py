"""An error budget that burns too fast."""

from __future__ import annotations

from pydantic import model_validator

from tocsin.api.detector import Detector, Duration, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: where the next entry goes, then times and shares of bad in a ring."""
    budget, factor, long, short, least = (
        parameters[0],
        parameters[1],
        parameters[2],
        parameters[3],
        parameters[4],
    )
    size = (len(state) - 1) // 2
    times, bad = state[1 : 1 + size], state[1 + size :]
    at = int(state[0])
    times[at], bad[at] = t, x
    state[0] = float((at + 1) % size)
    total_long, count_long, total_short, count_short = 0.0, 0.0, 0.0, 0.0
    for entry in range(size):
        age = t - times[entry]
        if age < long:
            total_long += bad[entry]
            count_long += 1.0
            if age < short:
                total_short += bad[entry]
                count_short += 1.0
    if count_long < least:
        return 0.0, factor * budget
    burn = min(total_long / count_long, total_short / count_short) / budget
    return burn / factor, factor * budget


class BurnRate(Detector):
    """An error budget that burns too fast, by two windows: the long one says that it matters, the short one that it goes on.

    Takes the bad share of each interval, from 0 to 1. The score is the lower of both windows' burn rates over `factor`; a rate of
    1 uses up the budget of the whole period exactly. An interval without a measurement is unknown and counts for nothing;
    scores 0 until a quarter of the long window was measured. Source: Google, The Site Reliability Workbook (2018), chapter 5.
    """

    objective: float = Param(0.999, help="share that has to be good", gt=0, lt=1)
    factor: float = Param(
        14.4, help="burn rate at the alarm line: 14.4 uses 2 % of a month's budget in an hour", gt=0
    )
    long: Duration = Param("1 h", help="the long window", validate_default=True)
    short: Duration = Param("5 min", help="the short window", validate_default=True)
    interval: Duration = Param(
        "1 min", help="time from one reading to the next", validate_default=True
    )

    step = Recurrence(_step)

    @model_validator(mode="after")
    def _windows(self) -> BurnRate:
        if not 0 < self.interval <= self.short < self.long:
            raise ValueError(
                "`interval` is at most as long as `short`, and that is shorter than `long`"
            )
        if self.long // self.interval > 10_000:
            raise ValueError("`long` holds over 10,000 intervals")
        return self

    def start_state(self) -> State:
        size = -(-self.long // self.interval)
        return (0.0, *([float("-inf")] * size), *([0.0] * size))

    def parameters(self) -> State:
        quarter = max(self.long // self.interval / 4, 1.0)
        return (1 - self.objective, self.factor, self.long / 1e6, self.short / 1e6, quarter)

    def expectation(self, expected: float) -> str:
        return f"a bad share of less than {expected:.4g} over both windows"

    examples = [
        (
            {"objective": 0.9, "factor": 2.0, "long": "4 s", "short": "1 s", "interval": "1 s"},
            [0.0, 0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 5 / 3, 2.5, 0.0],
        )
    ]
