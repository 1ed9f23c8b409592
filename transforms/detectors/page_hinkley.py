"""A mean that has moved away from all that was before."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings since the start, their mean, rising sum and its minimum, falling sum and its maximum."""
    tolerance, limit, warm_up = parameters[0], parameters[1], parameters[2]
    state[0] += 1.0
    state[1] += (x - state[1]) / state[0]
    distance = x - state[1]
    state[2] += distance - tolerance
    state[3] = min(state[3], state[2])
    state[4] += distance + tolerance
    state[5] = max(state[5], state[4])
    mean = state[1]
    if state[0] < warm_up:
        return 0.0, mean
    score = max(state[2] - state[3], state[5] - state[4]) / limit
    if score >= 1.0:
        # What has changed is the rule from now on.
        for at in range(6):
            state[at] = 0.0
    return score, mean


class PageHinkley(Detector):
    """The test of Page and Hinkley for a change of the mean, in both directions, over the limit; it begins anew after a change.

    The sum of the distances from the running mean, less a tolerance, against the least that it has been. A change scores at
    least 1 once, then the detector learns the new mean: use `clear_after` for an alarm that stays up for a while.
    Source: Hinkley: Inference about the change-point from cumulative sum tests, Biometrika 58 (1971).
    """

    tolerance: float = Param(
        help="change of the mean that does not matter, in the unit of the column",
        ge=0,
        examples=[0.1],
    )
    limit: float = Param(
        help="sum at the alarm line, in the unit of the column", gt=0, examples=[50.0]
    )
    warm_up: int = Param(30, help="readings before the first judgement, after a change, too", ge=1)

    start = (0.0,) * 6
    step = Recurrence(_step)

    def parameters(self) -> State:
        return (self.tolerance, self.limit, float(self.warm_up))

    examples = [
        (
            {"tolerance": 0.0, "limit": 4.0, "warm_up": 2},
            [1.0, 1.0, 1.0, 5.0, 5.0],
            [0.0, 0.0, 0.0, 0.75, 1.35],
        ),
    ]
