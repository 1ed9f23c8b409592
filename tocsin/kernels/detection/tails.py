"""How rare a number is among earlier ones: a running quantile, and a Pareto tail above it."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.kernels.compiled import kernel

TAIL = 5
"""Numbers of a tail."""

# How many numbers were seen, their 98 % quantile, the mean distance from it, the mean excess over
# it, and how many exceeded it.
_SEEN, _QUANTILE, _DISTANCE, _EXCESS, _EXCEEDED = range(TAIL)
_SHARE = 0.02
_WARM_UP = 30
_UNIT = 0.4342944819032518  # log10(e)


@kernel
def tail_surprise(y: float, tail: Floats, horizon: float, floor: float) -> float:
    """-log10 of the chance of `y` or more, estimated from earlier numbers; learns `y`.

    y: not negative. Best the logarithm of a size: then an exponential tail of it is a Pareto tail
    of the size (the estimator of Hill, Annals of Statistics 3, 1975). tail: five numbers, zero at
    first, changed in place. The quantile follows by stochastic approximation (Robbins and Monro,
    1951). horizon: numbers after which old ones are forgotten. floor: the least mean excess.

    Gives 0 for the first 30 numbers, and at most 3 log10 of how many were seen: more they cannot
    show. A rare number moves the tail no further than six mean excesses.
    """
    seen, quantile, excess = tail[_SEEN], tail[_QUANTILE], max(tail[_EXCESS], floor)
    if seen < _WARM_UP:
        surprise = 0.0
    elif y <= quantile:
        surprise = 1.7 * y / max(quantile, 1e-9)
    else:
        surprise = 1.7 + _UNIT * (y - quantile) / excess
    surprise = min(surprise, 3.0 * np.log10(seen + 1.0))
    seen += 1.0
    tail[_SEEN] = min(seen, 1e9)
    memory = min(seen, horizon)
    distance = min(abs(y - quantile), 4.0 * tail[_DISTANCE] + 0.01)
    tail[_DISTANCE] += (distance - tail[_DISTANCE]) / memory
    if seen <= _WARM_UP:
        # The greatest so far; later ones count half.
        if seen == 1.0 or (y > quantile and seen < _WARM_UP / 3):
            tail[_QUANTILE] = y
        elif y > quantile:
            tail[_QUANTILE] = quantile + 0.5 * (y - quantile)
        tail[_EXCESS] = 0.1 * tail[_QUANTILE]
        return float(surprise)
    gain = 12.0 * max(tail[_DISTANCE], 0.001) / memory
    tail[_QUANTILE] = max(quantile + gain * ((1.0 - _SHARE) if y > quantile else -_SHARE), 1e-6)
    if y > quantile:
        tail[_EXCEEDED] = min(tail[_EXCEEDED] + 1.0, 100.0)
        beyond = min(y - quantile, 6.0 * excess) if tail[_EXCEEDED] > 10.0 else y - quantile
        tail[_EXCESS] += (beyond - tail[_EXCESS]) / (tail[_EXCEEDED] + 5.0)
    return float(surprise)
