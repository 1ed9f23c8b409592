"""Distance from the mean of the last readings, in standard deviations."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: number of readings, place of the next, then the readings."""
    window, threshold, warm_up, smallest = (
        int(parameters[0]),
        parameters[1],
        parameters[2],
        parameters[3],
    )
    count, place = int(state[0]), int(state[1])
    score, mean, value = 0.0, x, x
    if count >= warm_up:
        total = 0.0
        for i in range(count):
            total += state[2 + i]
        mean = total / count
        spread = 0.0
        for i in range(count):
            spread += (state[2 + i] - mean) ** 2
        deviation = max((spread / (count - 1)) ** 0.5, smallest)
        score = abs(x - mean) / deviation / threshold
        if score > 1.0:
            value = mean + (deviation * threshold if x > mean else -deviation * threshold)
    state[2 + place] = value
    state[0], state[1] = min(count + 1, window), (place + 1) % window
    return score, mean


class ZScore(Detector):
    """Distance from the mean of the last readings, in standard deviations, over the threshold.

    The reading itself is not part of that mean. An outlier enters the window only up to the threshold, so that one spike
    does not hide the next. Scores 0 until `warm_up` readings were seen.
    """

    window: int = Param(60, help="readings that are compared with", ge=3, le=10_000)
    threshold: float = Param(3.0, help="standard deviations at the alarm line", gt=0)
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
            [1.0, 2.0, 3.0, 2.0, 10.0],
            [0.0, 0.0, 0.0, 0.0, 4.898979486],
        ),
    ]
