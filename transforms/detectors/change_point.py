"""The chance that something has just changed."""

from __future__ import annotations

import math

import numpy as np

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings seen, centre, scale; then by run length: chance, count, mean, sum of squares."""
    most, hazard, recent, line = (
        int(parameters[0]),
        parameters[1],
        int(parameters[2]),
        parameters[3],
    )
    seen = state[0]
    state[0] = seen + 1.0
    chance, count = state[3 : 3 + most], state[3 + most : 3 + 2 * most]
    mean, squares = state[3 + 2 * most : 3 + 3 * most], state[3 + 3 * most : 3 + 4 * most]
    # The prior is as wide as what was seen.
    distance = x - state[1]
    state[1] += distance / (seen + 1.0) if seen < 500.0 else distance / 500.0
    state[2] += (
        (abs(distance) - state[2]) / (seen + 1.0)
        if seen < 500.0
        else (min(abs(distance), 4 * state[2]) - state[2]) / 500.0
    )
    scale = max(state[2], 1e-9)
    if seen == 0.0:
        chance[0] = 1.0
    expected, total, change = 0.0, 0.0, 0.0
    for run in range(most):
        if chance[run] <= 0.0:
            continue
        # Normal with unknown mean and variance: Student's t, prior worth one reading.
        degrees = count[run] + 1.0
        middle = (
            (mean[run] * count[run] + state[1]) / (count[run] + 1.0)
            if count[run] > 0.0
            else state[1]
        )
        spread = (squares[run] + scale * scale) / degrees * (1.0 + 1.0 / (count[run] + 1.0))
        unit = (x - middle) ** 2 / (degrees * spread)
        density = math.exp(
            math.lgamma((degrees + 1.0) / 2.0) - math.lgamma(degrees / 2.0)
            - 0.5 * math.log(degrees * math.pi * spread) - (degrees + 1.0) / 2.0 * math.log1p(unit)
        )  # fmt: skip
        expected += chance[run] * middle
        weight = chance[run] * density
        change += weight * hazard
        chance[run] = weight * (1.0 - hazard)
        total += weight
    if total <= 0.0:
        change, total = 1.0, 1.0
        for run in range(most):
            chance[run] = 0.0
    # The longest runs are one.
    chance[most - 1] += chance[most - 2]
    if chance[most - 2] > 0.5 * chance[most - 1] or count[most - 1] == 0.0:
        count[most - 1], mean[most - 1], squares[most - 1] = (
            count[most - 2],
            mean[most - 2],
            squares[most - 2],
        )
    for run in range(most - 2, 0, -1):
        chance[run], count[run], mean[run], squares[run] = (
            chance[run - 1],
            count[run - 1],
            mean[run - 1],
            squares[run - 1],
        )
    chance[0], count[0], mean[0], squares[0] = change, 0.0, 0.0, 0.0
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
    return (young / line if seen >= 2.0 * recent + 10.0 else 0.0), expected


class ChangePoint(Detector):
    """Bayesian online change-point detection: the chance that the last change was within `recent` readings, over the line.

    Readings are normal with unknown mean and variance between changes, which come every `expected_run` readings on average.
    Run lengths over `longest` are one. Scores 0 until 10 readings more than twice `recent` were seen. Gaps do not count.
    Source: Adams and MacKay: Bayesian Online Changepoint Detection (2007).
    """

    expected_run: float = Param(500.0, help="readings between changes, on average", gt=1)
    recent: int = Param(5, help="readings within which a change is new", ge=1, le=100)
    line: float = Param(0.8, help="chance at the alarm line", gt=0, le=1)
    longest: int = Param(120, help="run lengths that are told apart", ge=10, le=1000)

    step = Recurrence(_step)

    def start_state(self) -> State:
        return (0.0,) * (3 + 4 * self.longest)

    def parameters(self) -> State:
        return (float(self.longest), 1.0 / self.expected_run, float(self.recent), self.line)

    def expectation(self, expected: float) -> str:
        return "" if np.isnan(expected) else f"a level of about {expected:.4g}"

    examples = [({}, [1.0, 2.0, 1.0], [0.0, 0.0, 0.0])]
