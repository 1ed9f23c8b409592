"""Distance from an exponentially weighted mean."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings seen, mean, variance."""
    alpha, threshold, warm_up, smallest = parameters[0], parameters[1], parameters[2], parameters[3]
    seen, mean, variance = state[0], state[1], state[2]
    if seen == 0.0:
        state[0], state[1] = 1.0, x
        return 0.0, x
    deviation = max(variance**0.5, smallest)
    distance = x - mean
    score = abs(distance) / deviation / threshold if seen >= warm_up else 0.0
    if score > 1.0:
        distance = deviation * threshold if distance > 0.0 else -deviation * threshold
    weight = max(alpha, 1.0 / (seen + 1.0))
    state[0] = seen + 1.0
    state[1] = mean + weight * distance
    state[2] = (1.0 - weight) * (variance + weight * distance * distance)
    return score, mean


class Ewma(Detector):
    """Distance from an exponentially weighted mean, in its weighted standard deviations, over the threshold.

    Until 1/alpha readings were seen, all weigh the same. An outlier moves mean and deviation only as far as the threshold.
    Source: West: Updating mean and variance estimates, CACM 22 (1979).
    """

    alpha: float = Param(0.05, help="weight of a new reading, from 0 to 1", gt=0, le=1)
    threshold: float = Param(4.0, help="standard deviations at the alarm line", gt=0)
    warm_up: int = Param(10, help="readings before the first judgement", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    start = (0.0, 0.0, 0.0)
    step = Recurrence(_step)

    def parameters(self) -> State:
        return (self.alpha, self.threshold, float(self.warm_up), self.smallest_deviation)

    examples = [({"warm_up": 2, "threshold": 2.0}, [1.0, 3.0, 6.0], [0.0, 0.0, 2.0])]
