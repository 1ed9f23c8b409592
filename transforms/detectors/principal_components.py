"""Several columns that no longer go together: a principal component model with Hotelling's T² and Q."""

from __future__ import annotations

from statistics import NormalDist
from typing import ClassVar

import numpy as np

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State, components, standing_out

_FIRST = 2


def _step(x: Floats, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings, how many components are kept, means, covariance, eigenvalues, eigenvectors (a row a column)."""
    share, memory, warm_up, normal, every = (
        parameters[0],
        parameters[1],
        parameters[2],
        parameters[3],
        int(parameters[4]),
    )
    size = len(x)
    means = state[_FIRST : _FIRST + size]
    covariance = state[_FIRST + size : _FIRST + size + size * size].reshape((size, size))
    eigenvalues = state[_FIRST + size + size * size : _FIRST + 2 * size + size * size]
    vectors = state[_FIRST + 2 * size + size * size :].reshape((size, size))
    seen = state[0]
    away = x - means
    if seen == 0.0:
        means[:] = x
        state[0] = 1.0
        return 0.0, 0.0
    score, which = 0.0, 0
    if seen >= warm_up and state[1] > 0.0:
        standard = away / np.sqrt(np.maximum(np.diag(covariance), 1e-18))
        score, which = standing_out(standard, eigenvalues, vectors, int(state[1]), normal)
    if score > 1.0:
        # An outlier moves the model no further than a reading at the line.
        away = away / score
    state[0] = seen + 1.0
    weight = 1.0 / min(seen + 1.0, memory)
    for column in range(size):
        means[column] += weight * away[column]
    for column in range(size):
        for other in range(size):
            covariance[column, other] = (1.0 - weight) * (
                covariance[column, other] + weight * away[column] * away[other]
            )
    if seen + 1.0 >= warm_up and (int(seen + 1.0) % every == 0 or state[1] == 0.0):
        state[1] = float(components(covariance, share, eigenvalues, vectors))
    return score, float(which)


class PrincipalComponents(Detector):
    """Several columns that no longer go together, or all go too far.

    The columns, standardised, are seen as a few components that explain `explained` of their variance. T² tells how far a reading
    is within these, Q how far it is from them; the score is the root of the greater one over its control limit, so 1 is reached
    by chance with `false_alarms`. The event tells of the column
    that is least as the others let expect. Means and covariances are of about the
    last `memory` readings, and components are computed every `refresh` readings; an outlier moves them no further than one at
    the line. Scores 0 until `warm_up` readings were seen. State: 16 (k² + k + 1) bytes a sensor for k columns.
    Source: Jackson: A User's Guide to Principal Components (1991), sections 1.7 and 2.7.
    """

    several: ClassVar[bool] = True
    explained: float = Param(
        0.9, help="share of the variance that the components explain", gt=0, lt=1
    )
    false_alarms: float = Param(
        1e-4, help="chance that a normal reading is over a limit", gt=0, lt=0.5
    )
    memory: int = Param(2000, help="readings that the model is of", ge=10)
    warm_up: int = Param(100, help="readings before the first judgement", ge=3)
    refresh: int = Param(16, help="readings after which components are computed again", ge=1)

    step = Recurrence(_step)

    def start_state(self) -> State:
        count = self._columns
        return (0.0,) * (_FIRST + 2 * count + 2 * count * count)

    def parameters(self) -> State:
        normal = NormalDist().inv_cdf(1 - self.false_alarms)
        return (
            self.explained,
            float(self.memory),
            float(self.warm_up),
            normal,
            float(self.refresh),
        )

    def expectation(self, expected: float) -> str:
        return "what goes with the other columns"

    examples = [
        ({"warm_up": 3, "refresh": 1}, [[1.0, 2.0], [2.0, 4.1], [3.0, 6.0]], [0.0, 0.0, 0.0])
    ]
