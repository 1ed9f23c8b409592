"""Recursive least squares with forgetting: a linear prediction that learns with each reading."""

from __future__ import annotations

from tocsin.kernels.compiled import kernel

_LARGEST_TRACE = 1e4


@kernel
def predict(weights, features):  # type: ignore[no-untyped-def]
    """The weighted sum."""
    total = 0.0
    for at in range(len(features)):
        total += weights[at] * features[at]
    return total


@kernel
def learn(weights, covariance, features, error, memory, work):  # type: ignore[no-untyped-def]
    """Correct the weights by the error of the prediction, which the caller bounds, so that an outlier does not turn them.

    covariance: a square matrix, flat. memory: from 0 to 1, what is left of a reading's weight one later. work: space of the
    features' length. A covariance that grows because nothing excites it is halved. Source: Haykin: Adaptive Filter Theory,
    4th edition, section 9.4 (exponentially weighted recursive least squares).
    """
    size = len(features)
    denominator = memory
    for row in range(size):
        total = 0.0
        for column in range(size):
            total += covariance[row * size + column] * features[column]
        work[row] = total
        denominator += total * features[row]
    trace = 0.0
    for row in range(size):
        weights[row] += work[row] / denominator * error
        for column in range(size):
            at = row * size + column
            covariance[at] = (covariance[at] - work[row] * work[column] / denominator) / memory
        trace += covariance[row * size + row]
    if trace > _LARGEST_TRACE:
        for at in range(size * size):
            covariance[at] *= 0.5
