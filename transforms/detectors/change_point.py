"""The probability that the distribution of a series has just changed."""

from __future__ import annotations

import math

import numpy as np

from tocsin.api.detector import Detector, Floats, Param, SensorState, kernel, numbers

# Readings of which the prior's centre and scale are.
_MEMORY = 500.0


@kernel
def _density(x: float, middle: float, spread: float, degrees: float) -> float:
    """The density of Student's t distribution with this centre and squared scale."""
    unit = (x - middle) ** 2 / (degrees * spread)
    half = (degrees + 1.0) / 2.0
    normalisation = math.lgamma(half) - math.lgamma(degrees / 2.0)
    return math.exp(
        normalisation - 0.5 * math.log(degrees * math.pi * spread) - half * math.log1p(unit)
    )


@kernel
def _shift(chance: Floats, count: Floats, mean: Floats, squares: Floats) -> None:
    """Make every run one reading longer; the two longest become one. Run 0 is empty."""
    last = len(chance) - 1
    chance[last] += chance[last - 1]
    if chance[last - 1] > 0.5 * chance[last] or count[last] == 0.0:
        count[last], mean[last] = count[last - 1], mean[last - 1]
        squares[last] = squares[last - 1]
    for run in range(last - 1, 0, -1):
        chance[run], count[run] = chance[run - 1], count[run - 1]
        mean[run], squares[run] = mean[run - 1], squares[run - 1]
    chance[0], count[0], mean[0], squares[0] = 0.0, 0.0, 0.0, 0.0


class ChangePoint(Detector):
    """Bayesian online change-point detection.

    The score is the probability that the last change was within `recent` readings, over `line`.
    Readings between changes are normal with unknown mean and variance. Changes come every
    `expected_run` readings on average. Run lengths over `longest` count as one. Scores 0 until 10
    readings more than twice `recent` were seen. Gaps do not count. State: 32 bytes a run length.
    Source: Adams and MacKay: Bayesian Online Changepoint Detection (2007).
    """

    expected_run: float = Param(500.0, help="readings between changes, on average", gt=1)
    recent: int = Param(5, help="readings within which a change is new", ge=1, le=100)
    line: float = Param(0.8, help="probability at the alarm line", gt=0, le=1)
    longest: int = Param(120, help="run lengths that are kept apart", ge=10, le=1000)

    class State(SensorState):
        """Readings seen, the prior's centre and scale; then four numbers of each run length.

        These are its probability, its count of readings, their mean and squared distances from it.
        """

        seen: float = 0.0
        center: float = 0.0
        scale: float = 0.0
        chance: Floats = numbers("longest")
        count: Floats = numbers("longest")
        mean: Floats = numbers("longest")
        squares: Floats = numbers("longest")

    @staticmethod
    def step(x: float, _t: float, parameters: ChangePoint, state: State) -> tuple[float, float]:
        most, recent = parameters.longest, parameters.recent
        hazard = 1.0 / parameters.expected_run
        chance, count = state.chance, state.count
        mean, squares = state.mean, state.squares
        seen = state.seen
        state.seen = seen + 1.0
        # The prior is as wide as the readings so far.
        distance = x - state.center
        if seen < _MEMORY:
            state.center += distance / (seen + 1.0)
            state.scale += (abs(distance) - state.scale) / (seen + 1.0)
        else:
            state.center += distance / _MEMORY
            state.scale += (min(abs(distance), 4 * state.scale) - state.scale) / _MEMORY
        scale = max(state.scale, 1e-9)
        if seen == 0.0:
            chance[0] = 1.0
        expected, total, change = 0.0, 0.0, 0.0
        for run in range(most):
            if chance[run] <= 0.0:
                continue
            # Normal with unknown mean and variance; the prior is worth one reading.
            degrees = count[run] + 1.0
            middle = state.center
            if count[run] > 0.0:
                middle = (mean[run] * count[run] + state.center) / (count[run] + 1.0)
            spread = (squares[run] + scale * scale) / degrees * (1.0 + 1.0 / (count[run] + 1.0))
            expected += chance[run] * middle
            weight = chance[run] * _density(x, middle, spread, degrees)
            change += weight * hazard
            chance[run] = weight * (1.0 - hazard)
            total += weight
        if total <= 0.0:
            change, total = 1.0, 1.0
            chance[:] = 0.0
        _shift(chance, count, mean, squares)
        chance[0] = change
        young = 0.0
        for run in range(most):
            chance[run] /= total
            if chance[run] < 1e-12:
                chance[run] = 0.0
            elif run > 0:
                count[run] += 1.0
                step = x - mean[run]
                mean[run] += step / count[run]
                squares[run] += step * (x - mean[run])
            if run <= recent:
                young += chance[run]
        return (young / parameters.line if seen >= 2.0 * recent + 10.0 else 0.0), expected

    def expectation(self, expected: float) -> str:
        return "" if np.isnan(expected) else f"a level of about {expected:.4g}"

    examples = [({}, [1.0, 2.0, 1.0], [0.0, 0.0, 0.0])]
