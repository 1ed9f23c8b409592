"""A small shift that lasts."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings seen, mean, sum of squares about it, upper and lower sum."""
    slack, limit, warm_up, smallest = parameters[0], parameters[1], parameters[2], parameters[3]
    seen = state[0]
    if seen < warm_up:
        seen += 1.0
        distance = x - state[1]
        state[0] = seen
        state[1] += distance / seen
        state[2] += distance * (x - state[1])
        return 0.0, state[1]
    deviation = max((state[2] / (warm_up - 1.0)) ** 0.5, smallest)
    unit = (x - state[1]) / deviation
    # Bounded, so that the sums come down in time when the shift is over.
    state[3] = min(max(state[3] + unit - slack, 0.0), 2.0 * limit)
    state[4] = min(max(state[4] - unit - slack, 0.0), 2.0 * limit)
    return max(state[3], state[4]) / limit, state[1]


class Cusum(Detector):
    """Cumulative sums of what exceeds a slack, upwards and downwards, over the limit: small shifts that last.

    Mean and deviation are those of the first `warm_up` readings, and stay: for a level that should not move. Readings of the
    warm-up score 0. Source: Page: Continuous Inspection Schemes, Biometrika 41 (1954).
    """

    slack: float = Param(
        0.5, help="standard deviations that are no shift; half the shift that matters", ge=0
    )
    limit: float = Param(5.0, help="sum at the alarm line, in standard deviations", gt=0)
    warm_up: int = Param(50, help="readings that tell what is normal", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    start = (0.0, 0.0, 0.0, 0.0, 0.0)
    step = Recurrence(_step)

    def parameters(self) -> State:
        return (self.slack, self.limit, float(self.warm_up), self.smallest_deviation)

    examples = [
        ({"warm_up": 3, "limit": 4.0}, [1.0, 2.0, 3.0, 4.5, 4.5], [0.0, 0.0, 0.0, 0.5, 1.0])
    ]
