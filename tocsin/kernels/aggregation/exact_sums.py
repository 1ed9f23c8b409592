"""Sums whose result does not depend on the order of the rows.

Floating-point addition is not associative. With other batch boundaries the last digits of a plain
sum would differ, and a replay would not equal the live run. A sum is therefore kept as two doubles
(high, low) by error-free transformations (Knuth's TwoSum, Dekker's product), which carry about 106
bits. Rounding to one double happens at the end. Values of one sum may differ by a factor of 2^50
before a digit could depend on their order.

Source: Ogita, Rump, Oishi: Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005).
"""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import compiled


@compiled
def add_pairs(ids: Int64s, highs: Floats, lows: Floats, out_high: Floats, out_low: Floats) -> None:
    """Add the pair (high, low) of each row to its group's pair in `out_high` and `out_low`.

    A sum of both infinities becomes NaN and stays NaN.
    """
    for row in range(len(ids)):
        x = highs[row]
        group = ids[row]
        a = out_high[group]
        total = a + x
        if np.isinf(total) or np.isnan(total):
            out_high[group] = total
            out_low[group] = 0.0
            continue
        back = total - a
        error = (a - (total - back)) + (x - back)
        low = out_low[group] + (error + lows[row])
        high = total + low
        out_low[group] = low - (high - total)
        out_high[group] = high


@compiled
def squares(values: Floats, highs: Floats, lows: Floats) -> None:
    """Write the exact square of each value as a pair: high + low = value * value."""
    for row in range(len(values)):
        x = values[row]
        square = x * x
        highs[row] = square
        if np.isinf(square) or np.isnan(square):
            lows[row] = 0.0
            continue
        carry = 134217729.0 * x
        upper = carry - (carry - x)
        lower = x - upper
        lows[row] = ((upper * upper - square) + 2.0 * upper * lower) + lower * lower


@compiled
def smallest(ids: Int64s, values: Floats, found: Floats) -> None:
    """Lower each group's element of `found`, initially +inf, to its minimum. NaN is skipped."""
    for row in range(len(ids)):
        found[ids[row]] = min(found[ids[row]], values[row])


@compiled
def greatest(ids: Int64s, values: Floats, found: Floats) -> None:
    """Raise each group's element of `found`, initially -inf, to its maximum. NaN is skipped."""
    for row in range(len(ids)):
        found[ids[row]] = max(found[ids[row]], values[row])


def mean(totals: tuple[Floats, Floats], counts: Floats) -> Floats:
    """The mean of each group: total / n, NaN where n is 0.

    The quotient of the rounded total may lie outside the values: 0.1 + 0.1 + 0.1 is greater than
    3 * 0.1. The remainder of the division corrects it, so the mean lies within [least, greatest],
    and the mean of equal values is their value.

    Args:
        totals: the pair (high, low) of the sum.
        counts: the number of values n.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        quotient = totals[0] / counts
        product, error = _product(quotient, counts)
        corrected = quotient + (((totals[0] - product) - error) + totals[1]) / counts
    # Infinite values, and values whose product overflows, have no remainder.
    return np.where(np.isfinite(corrected), corrected, quotient)


def standard_deviation(
    totals: tuple[Floats, Floats],
    squares: tuple[Floats, Floats],
    counts: Floats,
    spans: Floats,
    ddof: int,
) -> Floats:
    """The standard deviation of each group, NaN where n <= ddof.

    The root of the variance, within the bounds that the span of the values sets: 0 for equal
    values, and close to the truth where the values agree in nearly all their digits.

    Args:
        totals: the pair (high, low) of the sum.
        squares: the pair (high, low) of the sum of squares.
        counts: the number of values n.
        spans: the greatest value minus the least.
        ddof: delta degrees of freedom: 0 for the population, 1 for a sample.

    Source: the inequalities of Szokefalvi Nagy (below) and Popoviciu (above).
    """
    found = np.sqrt(variance(totals, squares, counts, ddof))
    with np.errstate(invalid="ignore", divide="ignore"):
        free = np.sqrt(np.where(counts > ddof, counts - ddof, np.nan))
        least = spans / (np.sqrt(2.0) * free)
        most = spans * np.sqrt(counts) / (2.0 * free)
    # For two values both bounds are the deviation itself: rounding must not choose between them.
    return np.clip(found, least * (1 - 1e-15), most * (1 + 1e-15))


def variance(
    totals: tuple[Floats, Floats], squares: tuple[Floats, Floats], counts: Floats, ddof: int
) -> Floats:
    """The variance of each group: (n * squares - total^2) / (n * (n - ddof)), NaN where n <= ddof.

    The difference has twice the precision of a double. Its last bits depend on the order of the
    rows, and are left out: for values with few decimals, the rest is often half way between two
    doubles, and these bits would choose one of them.

    Args:
        totals: the pair (high, low) of the sum.
        squares: the pair (high, low) of the sum of squares.
        counts: the number of values n.
        ddof: delta degrees of freedom: 0 for the population, 1 for a sample.
    """
    scaled_high, scaled_low = _product(squares[0], counts)
    square_high, square_low = _product(totals[0], totals[0])
    low = scaled_low + squares[1] * counts - square_low - 2.0 * totals[0] * totals[1]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        spread = np.maximum(_settled(scaled_high - square_high, low, scaled_high), 0.0)
        return np.where(counts > ddof, spread / (counts * (counts - ddof)), np.nan)


def _settled(high: Floats, low: Floats, scale: Floats) -> Floats:
    """The sum of two doubles, without the bits that rounding has made.

    The bits are those below 2^-80 of `scale`, which is what the sum was computed from. They stay
    where they are among the first 60 bits of the sum itself.
    """
    total = high + low
    back = total - high
    rest = (high - (total - back)) + (low - back)
    grid = np.minimum(np.frexp(scale)[1] - 80, np.frexp(total)[1] - 60)
    anchor = np.ldexp(1.5, grid + 52)
    return np.where(np.isfinite(total), total + ((rest + anchor) - anchor), total)


def _product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Dekker's exact product as a pair (high, low)."""
    product = a * b
    a_carry, b_carry = 134217729.0 * a, 134217729.0 * b
    a_high, b_high = a_carry - (a_carry - a), b_carry - (b_carry - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
