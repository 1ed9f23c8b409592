"""A principal component model of a few columns: components, control limits, and contributions."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.kernels.compiled import kernel


@kernel
def control_limits(eigenvalues: Floats, kept: int, normal: float) -> tuple[float, float]:
    """The control limits of T² and Q for normal data.

    A reading exceeds each with the chance that a standard normal exceeds `normal`. eigenvalues:
    falling; the first `kept` are of the model.

    T²: the quantile of chi-squared, for many readings (Wilson and Hilferty, PNAS 17, 1931). Q:
    Jackson and Mudholkar, Control procedures for residuals associated with principal component
    analysis, Technometrics 21 (1979).
    """
    spread = 2.0 / (9.0 * kept)
    t_squared = kept * (1.0 - spread + normal * np.sqrt(spread)) ** 3
    first = second = third = 0.0
    for value in eigenvalues[kept:]:
        first += value
        second += value**2
        third += value**3
    if second <= 1e-18:
        return t_squared, 1e-9
    power = max(1.0 - 2.0 * first * third / (3.0 * second**2), 1e-3)
    inner = (
        normal * np.sqrt(2.0 * second * power**2) / first
        + 1.0
        + second * power * (power - 1.0) / first**2
    )
    return t_squared, first * max(inner, 1e-9) ** (1.0 / power)


@kernel
def rotate(matrix: Floats, turned: Floats) -> None:
    """Make a symmetric matrix diagonal by rotations, and multiply these into `turned`, in place.

    For a few columns it costs no more than a general method, and needs no library.
    Source: the cyclic Jacobi method, Golub and Van Loan, Matrix Computations, section 8.5.
    """
    size = len(matrix)
    for _ in range(30):
        off = 0.0
        for p in range(size - 1):
            for q in range(p + 1, size):
                off += matrix[p, q] ** 2
        if off < 1e-22:
            break
        for p in range(size - 1):
            for q in range(p + 1, size):
                if matrix[p, q] == 0.0:
                    continue
                slope = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
                tangent = (1.0 if slope >= 0.0 else -1.0) / (
                    abs(slope) + np.sqrt(slope * slope + 1.0)
                )
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for k in range(size):
                    left, right = matrix[k, p], matrix[k, q]
                    matrix[k, p] = cosine * left - sine * right
                    matrix[k, q] = sine * left + cosine * right
                for k in range(size):
                    left, right = matrix[p, k], matrix[q, k]
                    matrix[p, k] = cosine * left - sine * right
                    matrix[q, k] = sine * left + cosine * right
                for k in range(size):
                    left, right = turned[k, p], turned[k, q]
                    turned[k, p] = cosine * left - sine * right
                    turned[k, q] = sine * left + cosine * right


@kernel
def components(covariance: Floats, share: float, eigenvalues: Floats, vectors: Floats) -> int:
    """Fill in the correlation's eigenvalues, falling, and eigenvectors (columns of `vectors`).

    Gives how many components explain `share` of the variance.
    """
    size = len(eigenvalues)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-18))
    found = covariance / scale.reshape((size, 1)) / scale
    turned = np.eye(size)
    rotate(found, turned)
    order = np.argsort(-np.diag(found))
    for component in range(size):
        eigenvalues[component] = max(found[order[component], order[component]], 0.0)
        for column in range(size):
            vectors[column, component] = turned[column, order[component]]
    kept, explained, total = 0, 0.0, eigenvalues.sum()
    while kept < size - 1 and (explained < share * total or kept == 0):
        explained += eigenvalues[kept]
        kept += 1
    return kept


@kernel
def standing_out(
    standard: Floats, eigenvalues: Floats, vectors: Floats, kept: int, normal: float
) -> tuple[float, int]:
    """The greater root of T² and Q over their limits, and the column that contributes most.

    standard: the reading, standardised. The column is the one whose reconstruction from the others
    would remove most of the distance.
    Source: Alcala and Qin, Reconstruction-based contribution for process monitoring, Automatica 45
    (2009).
    """
    size = len(standard)
    parts = np.zeros(size)
    t_squared = q = 0.0
    for component in range(size):
        for column in range(size):
            parts[component] += vectors[column, component] * standard[column]
        if component < kept:
            t_squared += parts[component] ** 2 / max(eigenvalues[component], 1e-9)
        else:
            q += parts[component] ** 2
    limit_t, limit_q = control_limits(eigenvalues, kept, normal)
    score_t, score_q = np.sqrt(t_squared / limit_t), np.sqrt(q / limit_q) if kept < size else 0.0
    which, most = 0, -1.0
    for column in range(size):
        pull = hold = 0.0
        for component in range(size):
            weight = vectors[column, component] / max(eigenvalues[component], 1e-6)
            pull += weight * parts[component]
            hold += weight * vectors[column, component]
        if pull * pull / hold > most:
            most, which = pull * pull / hold, column
    return max(score_t, score_q), which
