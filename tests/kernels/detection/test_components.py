"""Principal components against NumPy's eigenvalues and matrix products."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from tocsin.kernels.detection.components import (
    components,
    control_limits,
    rotate,
    standing_out,
)


def _covariance(size: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.cov(random.normal(size=(50, size)) @ random.normal(size=(size, size)), rowvar=False)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("seed", [1, 2])
def test_rotations_make_a_matrix_diagonal(size: int, seed: int) -> None:
    matrix, turned = _covariance(size, seed), np.eye(size)
    # A zero off the diagonal needs no rotation.
    matrix[0, 1] = matrix[1, 0] = 0.0
    given_matrix = matrix.copy()
    rotate(matrix, turned)
    assert matrix == pytest.approx(np.diag(np.diag(matrix)), abs=1e-10)
    assert sorted(np.diag(matrix)) == pytest.approx(np.linalg.eigvalsh(given_matrix))
    assert turned @ turned.T == pytest.approx(np.eye(size))
    assert turned @ matrix @ turned.T == pytest.approx(given_matrix)


def test_a_diagonal_matrix_is_not_rotated() -> None:
    matrix, turned = np.diag([3.0, 1.0, 2.0]), np.eye(3)
    rotate(matrix, turned)
    assert matrix.tolist() == np.diag([3.0, 1.0, 2.0]).tolist()
    assert turned.tolist() == np.eye(3).tolist()


def test_rotations_prefer_the_small_angle() -> None:
    matrix, turned = np.array([[2.0, 1.0], [1.0, 5.0]]), np.eye(2)
    rotate(matrix, turned)
    # The angle is the one up to 45 degrees, so the order of columns stays.
    assert matrix[0, 0] < matrix[1, 1]
    assert turned[0, 0] > sqrt(0.5)


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_components_are_those_of_the_correlation(size: int, share: float) -> None:
    covariance = _covariance(size, size)
    before = covariance.copy()
    eigenvalues, vectors = np.empty(size), np.empty((size, size))
    kept = components(covariance, share, eigenvalues, vectors)
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    assert covariance.tolist() == before.tolist()
    assert eigenvalues == pytest.approx(np.linalg.eigvalsh(correlation)[::-1])
    assert vectors @ np.diag(eigenvalues) @ vectors.T == pytest.approx(correlation)
    explained = np.cumsum(eigenvalues) / eigenvalues.sum()
    enough = [at + 1 for at in range(size - 1) if explained[at] >= share]
    assert kept == (enough[0] if enough else size - 1)


def test_columns_without_variance_have_no_component() -> None:
    eigenvalues, vectors = np.empty(2), np.empty((2, 2))
    assert components(np.zeros((2, 2)), 0.9, eigenvalues, vectors) == 1
    assert eigenvalues.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("kept", "normal", "quantile"),
    # Quantiles of chi-squared at 95 % and 99 %, from a printed table.
    [(1, 1.6449, 3.841), (2, 1.6449, 5.991), (5, 1.6449, 11.070), (5, 2.3263, 15.086)],
)
def test_the_limit_of_t_squared_is_a_quantile_of_chi_squared(
    kept: int, normal: float, quantile: float
) -> None:
    t_squared, q = control_limits(np.ones(kept), kept, normal)
    assert t_squared == pytest.approx(quantile, rel=0.03)
    assert q == 1e-9


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_limit_of_q_for_equal_eigenvalues_is_that_of_chi_squared(count: int) -> None:
    # Q is then a multiple of chi-squared, and the formula is that of Wilson and Hilferty.
    eigenvalues = np.r_[4.0, 3.0, np.full(count, 0.25)]
    _, q = control_limits(eigenvalues, 2, 2.0)
    of_count, _ = control_limits(np.ones(count), count, 2.0)
    assert q == pytest.approx(0.25 * of_count, rel=1e-9)


def test_the_limit_of_q_is_that_of_jackson_and_mudholkar() -> None:
    rest = np.array([0.8, 0.3, 0.1])
    first, second, third = rest.sum(), (rest**2).sum(), (rest**3).sum()
    power = 1 - 2 * first * third / (3 * second**2)
    normal = 2.5
    inner = normal * sqrt(2 * second * power**2) / first + 1
    inner += second * power * (power - 1) / first**2
    _, q = control_limits(np.r_[2.0, rest], 1, normal)
    assert q == pytest.approx(first * inner ** (1 / power))


@pytest.mark.parametrize("kept", [1, 2, 3])
@pytest.mark.parametrize("seed", [3, 4, 5, 6])
def test_a_reading_stands_out_by_its_distance_and_its_residual(kept: int, seed: int) -> None:
    size, normal = 3, 2.0
    eigenvalues, vectors = np.empty(size), np.empty((size, size))
    components(_covariance(size, seed), 0.9, eigenvalues, vectors)
    standard = np.random.default_rng(seed).normal(size=size) * 3
    score, which = standing_out(standard, eigenvalues, vectors, kept, normal)
    model = vectors[:, :kept]
    t_squared = standard @ model @ np.diag(1 / eigenvalues[:kept]) @ model.T @ standard
    residual = standard - model @ model.T @ standard
    limit_t, limit_q = control_limits(eigenvalues, kept, normal)
    roots = [sqrt(t_squared / limit_t)]
    if kept < size:
        roots.append(sqrt(residual @ residual / limit_q))
    assert score == pytest.approx(max(roots))
    inverse = vectors @ np.diag(1 / eigenvalues) @ vectors.T
    assert which == np.argmax((inverse @ standard) ** 2 / np.diag(inverse))
