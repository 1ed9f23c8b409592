"""Sums whose result does not depend on the order of the rows.

Floating-point addition is not associative, so a sum over other batch cuts would differ in its last digits, and a
replay would not equal the live run. A sum is kept as two doubles (high, low) by exact error-free transformations
(Knuth's TwoSum, Dekker's product), which carry about 106 bits; the rounding to one double comes at the end. Values of one sum
may differ by a factor of 2^50 before a digit could depend on the order.
Source: Ogita, Rump, Oishi: Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005).
"""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.kernels.compiled import compiled


@compiled
def add_pairs(ids, highs, lows, out_high, out_low):  # type: ignore[no-untyped-def]
    """Add the pairs (high, low) of each row to the pair of its group; a sum of both infinities is NaN and stays so."""
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
def squares(values, highs, lows):  # type: ignore[no-untyped-def]
    """The exact square of each value as a pair: high + low = value * value."""
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
def smallest(ids, values, found):  # type: ignore[no-untyped-def]
    """Smallest value of each group; NaN is skipped; the output starts at +inf."""
    for row in range(len(ids)):
        found[ids[row]] = min(found[ids[row]], values[row])


@compiled
def greatest(ids, values, found):  # type: ignore[no-untyped-def]
    """Greatest value of each group; NaN is skipped; the output starts at -inf."""
    for row in range(len(ids)):
        found[ids[row]] = max(found[ids[row]], values[row])


def variance(
    totals: tuple[Floats, Floats], squares: tuple[Floats, Floats], counts: Floats, ddof: int
) -> Floats:
    """Variance from the pairs of the sum and of the sum of squares: (n * squares - total^2) / (n * (n - ddof)).

    The difference is taken in twice the precision of a double; NaN where n <= ddof.
    """
    scaled_high, scaled_low = _product(squares[0], counts)
    square_high, square_low = _product(totals[0], totals[0])
    low = scaled_low + squares[1] * counts - square_low - 2.0 * totals[0] * totals[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.maximum((scaled_high - square_high) + low, 0.0)
        return np.where(counts > ddof, spread / (counts * (counts - ddof)), np.nan)


def _product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Dekker's exact product."""
    product = a * b
    a_carry, b_carry = 134217729.0 * a, 134217729.0 * b
    a_high, b_high = a_carry - (a_carry - a), b_carry - (b_carry - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
