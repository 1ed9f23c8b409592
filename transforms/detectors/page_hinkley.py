"""A mean that has moved away from all earlier readings."""

from __future__ import annotations

from tocsin.api.detector import Detector, Param, SensorState


class PageHinkley(Detector):
    """The Page-Hinkley test for a change of the mean, in both directions, over the limit.

    It sums the distances from the running mean, less a tolerance, and compares the sum with its
    own minimum. A change scores at least 1 once. The test then restarts and learns the new mean:
    use `clear_after` for an alarm that stays up for a while.
    Source: Hinkley: Inference about the change-point from cumulative sum tests, Biometrika 58
    (1971).
    """

    tolerance: float = Param(
        help="change of the mean that does not matter, in the unit of the column",
        ge=0,
        examples=[0.1],
    )
    limit: float = Param(
        help="sum at the alarm line, in the unit of the column", gt=0, examples=[50.0]
    )
    warm_up: int = Param(30, help="readings before the first judgement, also after a change", ge=1)

    class State(SensorState):
        """Readings since the restart, their mean, and both sums with their extremes."""

        seen: float = 0.0
        mean: float = 0.0
        rising: float = 0.0
        least_rising: float = 0.0
        falling: float = 0.0
        greatest_falling: float = 0.0

    @staticmethod
    def step(x: float, _t: float, parameters: PageHinkley, state: State) -> tuple[float, float]:
        state.seen += 1.0
        state.mean += (x - state.mean) / state.seen
        distance = x - state.mean
        state.rising += distance - parameters.tolerance
        state.least_rising = min(state.least_rising, state.rising)
        state.falling += distance + parameters.tolerance
        state.greatest_falling = max(state.greatest_falling, state.falling)
        mean = state.mean
        if state.seen < parameters.warm_up:
            return 0.0, mean
        excess = max(state.rising - state.least_rising, state.greatest_falling - state.falling)
        score = excess / parameters.limit
        if score >= 1.0:
            state.seen = state.mean = 0.0
            state.rising = state.least_rising = 0.0
            state.falling = state.greatest_falling = 0.0
        return score, mean

    examples = [
        (
            {"tolerance": 0.0, "limit": 4.0, "warm_up": 2},
            [1.0, 1.0, 1.0, 5.0, 5.0],
            [0.0, 0.0, 0.0, 0.75, 1.35],
        ),
    ]
