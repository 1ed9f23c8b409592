"""Distance from the usual value of this time of day or week."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NamedTuple

from tocsin.api.detector import Detector, Floats, Param, SensorState, numbers

_DAY = 86_400.0
# Columns of the profile: the last period with a reading (plus one), periods with one, readings,
# their mean, and their mean distance from it.
_LAST, _PERIODS, _READINGS, _MEAN, _DISTANCE = range(5)


class Seasonal(Detector):
    """Distance from a daily or weekly profile, over the threshold.

    The distance is in standard deviations of that time of day or week. Each bin of the profile
    keeps a mean and a mean distance of about its last `memory` readings. An outlier moves them
    only as far as the threshold. A bin scores 0 until `warm_up` earlier periods had a reading in
    it: gaps lengthen that. Times are UTC plus `offset`. State: 40 bytes a bin.
    """

    period: Literal["day", "week"] = Param("day", help="length of the profile")
    bins: int = Param(24, help="equal parts of the period", ge=1, le=2016)
    offset: float = Param(0.0, help="hours that local time is ahead of UTC", ge=-14, le=14)
    threshold: float = Param(4.0, help="standard deviations at the alarm line", gt=0)
    warm_up: int = Param(3, help="periods before the first judgement", ge=1)
    memory: int = Param(60, help="readings after which a bin forgets", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    class State(SensorState):
        """Five numbers of each bin, in the order of the columns above."""

        profile: Floats = numbers("bins", 5)

    class Parameters(NamedTuple):
        """Times in seconds."""

        bins: int
        period: float
        offset: float
        threshold: float
        warm_up: int
        memory: int
        smallest_deviation: float

    def parameters(self) -> Parameters:
        return self.Parameters(
            self.bins,
            _DAY if self.period == "day" else 7 * _DAY,
            self.offset * 3600,
            self.threshold,
            self.warm_up,
            self.memory,
            self.smallest_deviation,
        )

    @staticmethod
    def step(x: float, t: float, parameters: Parameters, state: State) -> tuple[float, float]:
        place = (t + parameters.offset) / parameters.period
        turn = place // 1.0
        part = state.profile[min(int((place - turn) * parameters.bins), parameters.bins - 1)]
        if part[_LAST] != turn + 1.0:
            part[_LAST] = turn + 1.0
            part[_PERIODS] += 1.0
        part[_READINGS] += 1.0
        readings, mean, size = part[_READINGS], part[_MEAN], part[_DISTANCE]
        if readings == 1.0:
            part[_MEAN] = x
            return 0.0, x
        # The mean distance of normal data is 0.8 of its standard deviation.
        deviation = max(1.2533 * size, parameters.smallest_deviation)
        limit = parameters.threshold * deviation
        distance = x - mean
        score = 0.0
        if part[_PERIODS] > parameters.warm_up:
            score = abs(distance) / deviation / parameters.threshold
        if score > 1.0:
            distance = limit if distance > 0.0 else -limit
        part[_MEAN] = mean + distance / min(readings, parameters.memory)
        part[_DISTANCE] = size + (abs(distance) - size) / min(readings - 1.0, parameters.memory)
        return score, mean

    def usual(self, time: float) -> str:
        local = datetime.fromtimestamp(time + self.offset * 3600, UTC)
        return (
            f"its usual {local:%A} {local:%H:%M} level"
            if self.period == "week"
            else f"its usual {local:%H:%M} level"
        )

    examples = [({"bins": 1}, [5.0, 5.0, 9.0], [0.0, 0.0, 0.0])]
