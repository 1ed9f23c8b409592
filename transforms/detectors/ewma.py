"""Distance from an exponentially weighted mean."""

from __future__ import annotations

from tocsin.api.detector import Detector, Param, SensorState


class Ewma(Detector):
    """Distance from an exponentially weighted mean, over the threshold.

    The distance is in weighted standard deviations. The first 1/`alpha` readings have equal
    weights. An outlier moves mean and deviation only as far as the threshold. Scores 0 until
    `warm_up` readings were seen.
    Source: West: Updating mean and variance estimates, CACM 22 (1979).
    """

    alpha: float = Param(0.05, help="weight of a new reading, from 0 to 1", gt=0, le=1)
    threshold: float = Param(4.0, help="standard deviations at the alarm line", gt=0)
    warm_up: int = Param(10, help="readings before the first judgement", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    class State(SensorState):
        """Readings seen, and their weighted mean and variance."""

        seen: float = 0.0
        mean: float = 0.0
        variance: float = 0.0

    @staticmethod
    def step(x: float, _t: float, parameters: Ewma, state: State) -> tuple[float, float]:
        seen, mean, variance = state.seen, state.mean, state.variance
        state.seen = seen + 1.0
        if seen == 0.0:
            state.mean = x
            return 0.0, x
        deviation = max(variance**0.5, parameters.smallest_deviation)
        limit = deviation * parameters.threshold
        distance = x - mean
        score = 0.0
        if seen >= parameters.warm_up:
            score = abs(distance) / deviation / parameters.threshold
        if score > 1.0:
            distance = limit if distance > 0.0 else -limit
        weight = max(parameters.alpha, 1.0 / (seen + 1.0))
        state.mean = mean + weight * distance
        state.variance = (1.0 - weight) * (variance + weight * distance * distance)
        return score, mean

    examples = [({"warm_up": 2, "threshold": 2.0}, [1.0, 3.0, 6.0], [0.0, 0.0, 2.0])]
