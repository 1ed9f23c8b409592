"""Recursive least squares with forgetting: a linear prediction that learns with each reading."""

from __future__ import annotations

from tocsin.kernels.batch import Floats
from tocsin.kernels.compiled import kernel

_LARGEST_TRACE = 1e4


@kernel
def predict(weights: Floats, features: Floats) -> float:
    """The weighted sum of the features."""
    total = 0.0
    for at in range(len(features)):
        total += weights[at] * features[at]
    return total


@kernel
def learn(
    weights: Floats,
    covariance: Floats,
    features: Floats,
    error: float,
    memory: float,
    work: Floats,
) -> None:
    """Correct weights and covariance in place by the error of the prediction.

    The caller bounds the error, so that an outlier does not turn the weights. covariance: a square
    matrix. memory: from 0 to 1, the share of a reading's weight that is left one reading later.
    work: space for as many numbers as there are features. A covariance that grows because nothing
    excites it is halved.
    Source: Haykin: Adaptive Filter Theory, 4th edition, section 9.4 (exponentially weighted
    recursive least squares).
    """
    size = len(features)
    denominator = memory
    for row in range(size):
        total = 0.0
        for column in range(size):
            total += covariance[row, column] * features[column]
        work[row] = total
        denominator += total * features[row]
    trace = 0.0
    for row in range(size):
        weights[row] += work[row] / denominator * error
        for column in range(size):
            change = work[row] * work[column] / denominator
            covariance[row, column] = (covariance[row, column] - change) / memory
        trace += covariance[row, row]
    if trace > _LARGEST_TRACE:
        for row in range(size):
            for column in range(size):
                covariance[row, column] *= 0.5
