"""A value that is not what the hour and other columns let expect."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State, learn, predict

_DAY = 86_400.0
# One, the hour as two waves a day, and the hour of the week as one.
_HOURS = 7


def _step(x: Floats, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings, mean distance, of each column of the context its mean and mean distance, weights, their covariance."""
    threshold, warm_up, memory, smallest, offset = (
        parameters[0],
        parameters[1],
        parameters[2],
        parameters[3],
        parameters[4],
    )
    context = len(x) - 1
    count = _HOURS + context
    seen, size = state[0], state[1]
    scales = state[2 : 2 + 2 * context]
    weights = state[2 + 2 * context : 2 + 2 * context + count]
    covariance = state[2 + 2 * context + count :]
    if seen == 0.0:
        for at in range(count):
            covariance[at * count + at] = 10.0
    row = np.empty(count)
    day = 2.0 * math.pi * ((t + offset) % _DAY) / _DAY
    week = 2.0 * math.pi * ((t + offset) % (7.0 * _DAY)) / (7.0 * _DAY)
    row[0], row[1], row[2] = 1.0, math.sin(day), math.cos(day)
    row[3], row[4], row[5], row[6] = (
        math.sin(2.0 * day),
        math.cos(2.0 * day),
        math.sin(week),
        math.cos(week),
    )
    share = 1.0 / min(seen + 1.0, memory)
    for at in range(context):
        distance = x[1 + at] - scales[2 * at] if seen > 0.0 else 0.0
        if seen == 0.0:
            scales[2 * at] = x[1 + at]
        # Before it is known how far a column goes it says nothing.
        known = scales[2 * at + 1]
        row[_HOURS + at] = max(-8.0, min(8.0, distance / max(known, 1e-9))) if seen > 10.0 else 0.0
        scales[2 * at] += share * distance
        scales[2 * at + 1] += share * (abs(distance) - known)
    expected = predict(weights, row)
    error = x[0] - expected
    # The mean distance of normal data is 0.8 of its standard deviation.
    deviation = max(1.2533 * size, smallest)
    score = abs(error) / deviation / threshold if seen >= warm_up else 0.0
    if score > 1.0:
        error = threshold * deviation if error > 0.0 else -threshold * deviation
    learn(weights, covariance, row, error, 1.0 - 1.0 / max(memory, 2.0), np.empty(count))
    state[1] = size + (abs(error) - size) / min(max(seen - 0.5 * warm_up, 1.0), memory)
    state[0] = seen + 1.0
    return score, 0.0


class Contextual(Detector):
    """The first column, given the hour and the other columns: weather, what neighbours read.

    A linear model of the hour of the day and the week and of the other columns, each in units of its own distance from its mean,
    follows the first column by recursive least squares; the score is how far that is from what the model lets expect, in the
    deviations of the model's errors, over the threshold. An outlier moves the model only as far as the threshold. Scores 0 until
    `warm_up` readings were seen. State: 8 ((7 + k)² + 3 k + 9) bytes a sensor for k columns of context.
    Source: Haykin: Adaptive Filter Theory (2002), chapter 9.
    """

    several: ClassVar[bool] = True
    threshold: float = Param(
        4.0, help="standard deviations of the model's errors at the alarm line", gt=0
    )
    warm_up: int = Param(200, help="readings before the first judgement", ge=20)
    memory: int = Param(2000, help="readings that the model is of", ge=20)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )
    offset: float = Param(0.0, help="hours that local time is ahead of UTC", ge=-14, le=14)

    step = Recurrence(_step)

    def start_state(self) -> State:
        context = self._columns - 1
        count = _HOURS + context
        return (0.0,) * (2 + 2 * context + count + count * count)

    def parameters(self) -> State:
        return (
            self.threshold,
            float(self.warm_up),
            float(self.memory),
            self.smallest_deviation,
            self.offset * 3600,
        )

    def expectation(self, expected: float) -> str:
        return "what the hour and the other columns let expect"

    examples = [({}, [[1.0, 2.0], [2.0, 4.1], [3.0, 6.0]], [0.0, 0.0, 0.0])]
