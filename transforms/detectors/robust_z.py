"""Distance from the median of the last readings, in scaled median absolute deviations."""

from __future__ import annotations

from tocsin.api.detector import (
    Detector,
    Floats,
    Param,
    Recurrence,
    State,
    in_order,
    median_deviation,
)


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: number of readings, place of the next, then the readings."""
    window, threshold, warm_up, smallest = (
        int(parameters[0]),
        parameters[1],
        parameters[2],
        parameters[3],
    )
    count, place = int(state[0]), int(state[1])
    score, median = 0.0, x
    if count >= warm_up:
        ordered = in_order(state[2 : 2 + count])
        median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0
        mad = median_deviation(ordered, median)
        score = abs(x - median) / max(1.4826 * mad, smallest) / threshold
    state[2 + place] = x
    state[0], state[1] = min(count + 1, window), (place + 1) % window
    return score, median


class RobustZ(Detector):
    """Distance from the median of the last readings, in median absolute deviations, over the threshold.

    The deviation is scaled by 1.4826, which makes it the standard deviation of normal data. The reading itself is not part
    of the median, and outliers up to half the window do not move it. Scores 0 until `warm_up` readings were seen.
    Source: Iglewicz and Hoaglin: How to detect and handle outliers (1993).
    """

    window: int = Param(60, help="readings that are compared with", ge=3, le=10_000)
    threshold: float = Param(3.5, help="deviations at the alarm line", gt=0)
    warm_up: int = Param(10, help="readings before the first judgement", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    step = Recurrence(_step)

    def start_state(self) -> State:
        return (0.0,) * (2 + self.window)

    def parameters(self) -> State:
        return (
            float(self.window),
            self.threshold,
            float(min(self.warm_up, self.window)),
            self.smallest_deviation,
        )

    examples = [
        (
            {"window": 5, "warm_up": 3, "threshold": 2.0},
            [1.0, 2.0, 3.0, 9.0],
            [0.0, 0.0, 0.0, 2.360717658],
        ),
    ]
