"""A small shift that lasts."""

from __future__ import annotations

from tocsin.api.detector import Detector, Param, SensorState


class Cusum(Detector):
    """Cumulative sums of deviations beyond a slack, upwards and downwards, over the limit.

    It finds small shifts that last. Mean and deviation come from the first `warm_up` readings and
    do not change afterwards: use it for a level that should not move. Readings of the warm-up
    score 0. Source: Page: Continuous Inspection Schemes, Biometrika 41 (1954).
    """

    slack: float = Param(
        0.5, help="standard deviations that are no shift; half the shift that matters", ge=0
    )
    limit: float = Param(5.0, help="sum at the alarm line, in standard deviations", gt=0)
    warm_up: int = Param(50, help="readings from which mean and deviation are learnt", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    class State(SensorState):
        """Readings of the warm-up, their mean and squared distances from it, and both sums."""

        seen: float = 0.0
        mean: float = 0.0
        squares: float = 0.0
        upper: float = 0.0
        lower: float = 0.0

    @staticmethod
    def step(x: float, _t: float, parameters: Cusum, state: State) -> tuple[float, float]:
        slack, limit = parameters.slack, parameters.limit
        if state.seen < parameters.warm_up:
            state.seen += 1.0
            distance = x - state.mean
            state.mean += distance / state.seen
            state.squares += distance * (x - state.mean)
            return 0.0, state.mean
        variance = state.squares / (parameters.warm_up - 1.0)
        unit = (x - state.mean) / max(variance**0.5, parameters.smallest_deviation)
        # A bounded sum comes down in time when the shift is over.
        state.upper = min(max(state.upper + unit - slack, 0.0), 2.0 * limit)
        state.lower = min(max(state.lower - unit - slack, 0.0), 2.0 * limit)
        return max(state.upper, state.lower) / limit, state.mean

    examples = [
        ({"warm_up": 3, "limit": 4.0}, [1.0, 2.0, 3.0, 4.5, 4.5], [0.0, 0.0, 0.0, 0.5, 1.0])
    ]
