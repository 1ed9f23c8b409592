"""A value that the hour and other columns do not explain."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from tocsin.api.detector import (
    Detector,
    Floats,
    Param,
    SensorState,
    kernel,
    learn,
    numbers,
    predict,
)

_DAY = 86_400.0
# A constant, two waves a day, and one wave a week.
_HOURS = 7
# Columns of `scales`.
_MEAN, _DISTANCE = 0, 1


@kernel
def _describe_time(t: float, row: Floats) -> None:
    """The first features of a reading: a constant, the time of day, the time of the week."""
    day = 2.0 * math.pi * (t % _DAY) / _DAY
    week = 2.0 * math.pi * (t % (7.0 * _DAY)) / (7.0 * _DAY)
    row[0], row[1], row[2] = 1.0, math.sin(day), math.cos(day)
    row[3], row[4] = math.sin(2.0 * day), math.cos(2.0 * day)
    row[5], row[6] = math.sin(week), math.cos(week)


@kernel
def _describe_context(x: Floats, seen: float, share: float, scales: Floats, row: Floats) -> None:
    """The features after these: each other column in units of its mean distance from its mean."""
    for at in range(len(scales)):
        distance = x[1 + at] - scales[at, _MEAN] if seen > 0.0 else 0.0
        if seen == 0.0:
            scales[at, _MEAN] = x[1 + at]
        # Before its range is known, a column tells nothing.
        known = scales[at, _DISTANCE]
        row[_HOURS + at] = max(-8.0, min(8.0, distance / max(known, 1e-9))) if seen > 10.0 else 0.0
        scales[at, _MEAN] += share * distance
        scales[at, _DISTANCE] += share * (abs(distance) - known)


class Contextual(Detector):
    """The first column, given the hour and the other columns, such as weather or neighbours.

    A linear model predicts the first column from the hour of the day and of the week and from the
    other columns, each in units of its own distance from its mean. Recursive least squares fits
    it. The score is the error in the deviations of the model's errors, over the threshold. An
    outlier moves the model only as far as the threshold. Scores 0 until `warm_up` readings were
    seen. State: 8 ((7 + k)² + 3 k + 9) bytes a sensor for k columns of context.
    Source: Haykin: Adaptive Filter Theory (2002), chapter 9.
    """

    several: ClassVar[bool] = True
    threshold: float = Param(
        4.0, help="standard deviations of the model's errors at the alarm line", gt=0
    )
    warm_up: int = Param(200, help="readings before the first judgement", ge=20)
    memory: int = Param(2000, help="readings after which the model forgets", ge=20)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )
    offset: float = Param(0.0, help="hours that local time is ahead of UTC", ge=-14, le=14)

    class State(SensorState):
        """Readings seen, the mean size of errors, and the model.

        scales: mean and mean distance of each column of the context. weights and their covariance:
        of the features.
        """

        seen: float = 0.0
        error: float = 0.0
        scales: Floats = numbers("context", 2)
        weights: Floats = numbers("features")
        covariance: Floats = numbers("features", "features")

    @property
    def context(self) -> int:
        """Columns after the first."""
        return self.column_count - 1

    @property
    def features(self) -> int:
        """Inputs of the model."""
        return _HOURS + self.context

    @staticmethod
    def step(x: Floats, t: float, parameters: Contextual, state: State) -> tuple[float, float]:
        weights, covariance = state.weights, state.covariance
        threshold, warm_up, memory = parameters.threshold, parameters.warm_up, parameters.memory
        count, seen, size = len(weights), state.seen, state.error
        if seen == 0.0:
            for at in range(count):
                covariance[at, at] = 10.0
        row = np.empty(count)
        _describe_time(t + parameters.offset * 3600, row)
        _describe_context(x, seen, 1.0 / min(seen + 1.0, memory), state.scales, row)
        error = x[0] - predict(weights, row)
        # The mean distance of normal data is 0.8 of its standard deviation.
        deviation = max(1.2533 * size, parameters.smallest_deviation)
        score = abs(error) / deviation / threshold if seen >= warm_up else 0.0
        if score > 1.0:
            error = threshold * deviation if error > 0.0 else -threshold * deviation
        learn(weights, covariance, row, error, 1.0 - 1.0 / max(memory, 2.0), np.empty(count))
        age = min(max(seen - 0.5 * warm_up, 1.0), memory)
        state.error = size + (abs(error) - size) / age
        state.seen = seen + 1.0
        return score, 0.0

    def expectation(self, expected: float) -> str:
        return "what the hour and the other columns let expect"

    examples = [({}, [[1.0, 2.0], [2.0, 4.1], [3.0, 6.0]], [0.0, 0.0, 0.0])]
