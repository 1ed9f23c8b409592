"""Distance from what is usual at this time of day or week."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State

_DAY = 86_400.0


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: of each bin, in turn: the period that it last heard from, periods, readings, their mean, their mean distance."""
    bins, period, offset = int(parameters[0]), parameters[1], parameters[2]
    threshold, warm_up, memory, smallest = (
        parameters[3],
        parameters[4],
        parameters[5],
        parameters[6],
    )
    place = (t + offset) / period
    turn = place // 1.0
    at = 5 * min(int((place - turn) * bins), bins - 1)
    if state[at] != turn + 1.0:
        state[at] = turn + 1.0
        state[at + 1] += 1.0
    state[at + 2] += 1.0
    readings, mean, size = state[at + 2], state[at + 3], state[at + 4]
    if readings == 1.0:
        state[at + 3] = x
        return 0.0, x
    # The mean distance of normal data is 0.8 of its standard deviation.
    deviation = max(1.2533 * size, smallest)
    distance = x - mean
    score = abs(distance) / deviation / threshold if state[at + 1] > warm_up else 0.0
    if score > 1.0:
        distance = threshold * deviation if distance > 0.0 else -threshold * deviation
    state[at + 3] = mean + distance / min(readings, memory)
    state[at + 4] = size + (abs(distance) - size) / min(readings - 1.0, memory)
    return score, mean


class Seasonal(Detector):
    """Distance from a daily or weekly profile, in the deviations of that time of day or week, over the threshold.

    Each bin of the profile keeps a mean and a mean distance of about the last `memory` readings in it; an outlier moves them
    only as far as the threshold. A bin is not judged until it has heard from `warm_up` periods before this one: gaps lengthen
    that. Times are shifted by `offset` from UTC. State: 40 bytes a bin and sensor.
    """

    period: Literal["day", "week"] = Param("day", help="what repeats")
    bins: int = Param(24, help="parts of the period", ge=1, le=2016)
    offset: float = Param(0.0, help="hours that local time is ahead of UTC", ge=-14, le=14)
    threshold: float = Param(4.0, help="standard deviations at the alarm line", gt=0)
    warm_up: int = Param(3, help="periods before the first judgement", ge=1)
    memory: int = Param(60, help="readings of a bin that its profile is of", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    step = Recurrence(_step)

    def start_state(self) -> State:
        return (0.0,) * (5 * self.bins)

    def parameters(self) -> State:
        period = _DAY if self.period == "day" else 7 * _DAY
        return (
            float(self.bins), period, self.offset * 3600, self.threshold, float(self.warm_up), float(self.memory),
            self.smallest_deviation,
        )  # fmt: skip

    def usual(self, time: float) -> str:
        local = datetime.fromtimestamp(time + self.offset * 3600, UTC)
        return (
            f"its usual {local:%A} {local:%H:%M} level"
            if self.period == "week"
            else f"its usual {local:%H:%M} level"
        )

    examples = [({"bins": 1}, [5.0, 5.0, 9.0], [0.0, 0.0, 0.0])]
