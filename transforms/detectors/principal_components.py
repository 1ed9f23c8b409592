"""Several columns that no longer go together: a principal component model with T² and Q."""

from __future__ import annotations

from statistics import NormalDist
from typing import ClassVar, NamedTuple

import numpy as np

from tocsin.api.detector import (
    Detector,
    Floats,
    Param,
    SensorState,
    components,
    numbers,
    standing_out,
)


class PrincipalComponents(Detector):
    """Several columns that no longer go together, or that all go too far.

    A few components explain the share `explained` of the variance of the standardised columns.
    Hotelling's T² is the distance of a reading within these components, Q the distance from them.
    The score is the root of the greater one over its control limit; a normal reading reaches 1
    with the chance `false_alarms`. The alarm names the column that the other columns explain
    least. An outlier moves the model no further than a reading at the line. Scores 0 until
    `warm_up` readings were seen. State: 16 (k² + k + 1) bytes a sensor for k columns.
    Source: Jackson: A User's Guide to Principal Components (1991), sections 1.7 and 2.7.
    """

    several: ClassVar[bool] = True
    explained: float = Param(
        0.9, help="share of the variance that the components explain", gt=0, lt=1
    )
    false_alarms: float = Param(
        1e-4, help="chance that a normal reading is over a limit", gt=0, lt=0.5
    )
    memory: int = Param(2000, help="readings after which the model forgets", ge=10)
    warm_up: int = Param(100, help="readings before the first judgement", ge=3)
    refresh: int = Param(16, help="readings after which components are computed again", ge=1)

    class State(SensorState):
        """Readings seen, how many components are kept, and the model of the columns.

        vectors: eigenvectors, one a column. covariance: of the columns, not standardised.
        """

        seen: float = 0.0
        kept: float = 0.0
        means: Floats = numbers("column_count")
        covariance: Floats = numbers("column_count", "column_count")
        eigenvalues: Floats = numbers("column_count")
        vectors: Floats = numbers("column_count", "column_count")

    class Parameters(NamedTuple):
        """normal: the quantile of the standard normal that `false_alarms` exceeds."""

        explained: float
        normal: float
        memory: int
        warm_up: int
        refresh: int

    def parameters(self) -> Parameters:
        normal = NormalDist().inv_cdf(1 - self.false_alarms)
        return self.Parameters(self.explained, normal, self.memory, self.warm_up, self.refresh)

    @staticmethod
    def step(x: Floats, _t: float, parameters: Parameters, state: State) -> tuple[float, float]:
        means, covariance = state.means, state.covariance
        eigenvalues, vectors = state.eigenvalues, state.vectors
        size, seen = len(x), state.seen
        state.seen = seen + 1.0
        if seen == 0.0:
            means[:] = x
            return 0.0, 0.0
        away = x - means
        score, which = 0.0, 0
        if seen >= parameters.warm_up and state.kept > 0.0:
            standard = away / np.sqrt(np.maximum(np.diag(covariance), 1e-18))
            score, which = standing_out(
                standard, eigenvalues, vectors, int(state.kept), parameters.normal
            )
        if score > 1.0:
            away = away / score
        weight = 1.0 / min(seen + 1.0, parameters.memory)
        for column in range(size):
            means[column] += weight * away[column]
        for column in range(size):
            for other in range(size):
                covariance[column, other] = (1.0 - weight) * (
                    covariance[column, other] + weight * away[column] * away[other]
                )
        is_due = int(seen + 1.0) % parameters.refresh == 0 or state.kept == 0.0
        if seen + 1.0 >= parameters.warm_up and is_due:
            state.kept = components(covariance, parameters.explained, eigenvalues, vectors)
        return score, float(which)

    def expectation(self, expected: float) -> str:
        return "what goes with the other columns"

    examples = [
        ({"warm_up": 3, "refresh": 1}, [[1.0, 2.0], [2.0, 4.1], [3.0, 6.0]], [0.0, 0.0, 0.0])
    ]
