"""How rare a number is among those before it: a quantile that is followed, and a Pareto tail over it."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.compiled import kernel

TAIL = 5
"""Numbers of state: how many were seen, the 98 % quantile, the mean distance from it, the mean excess, how many exceeded."""

_SHARE = 0.02
_WARM_UP = 30
_UNIT = 0.4342944819032518  # log10(e)


@kernel
def tail_surprise(y, state, horizon, floor):  # type: ignore[no-untyped-def]
    """-log10 of the chance of `y` or more, as far as what was seen before tells; learns `y`. 0 for the first 30.

    y: not negative, best the logarithm of a size, so that an exponential tail of it is a Pareto tail of the size (the estimator
    of Hill, Annals of Statistics 3, 1975). The quantile follows by stochastic approximation (Robbins and Monro, 1951). horizon:
    numbers after which the old are forgotten. floor: the least mean excess. At most 3 log10 of how many were seen: more they
    cannot tell. A rare number moves the tail no further than six mean excesses.
    """
    seen, quantile, excess = state[0], state[1], max(state[3], floor)
    if seen < _WARM_UP:
        surprise = 0.0
    elif y <= quantile:
        surprise = 1.7 * y / max(quantile, 1e-9)
    else:
        surprise = 1.7 + _UNIT * (y - quantile) / excess
    surprise = min(surprise, 3.0 * np.log10(seen + 1.0))
    seen += 1.0
    state[0] = min(seen, 1e9)
    memory = min(seen, horizon)
    state[2] += (min(abs(y - quantile), 4.0 * state[2] + 0.01) - state[2]) / memory
    if seen <= _WARM_UP:
        # The greatest so far, later ones with half their weight.
        if seen == 1.0 or (y > quantile and seen < _WARM_UP / 3):
            state[1] = y
        elif y > quantile:
            state[1] = quantile + 0.5 * (y - quantile)
        state[3] = 0.1 * state[1]
        return surprise
    gain = 12.0 * max(state[2], 0.001) / memory
    state[1] = max(quantile + gain * ((1.0 - _SHARE) if y > quantile else -_SHARE), 1e-6)
    if y > quantile:
        state[4] = min(state[4] + 1.0, 100.0)
        state[3] += (
            (min(y - quantile, 6.0 * excess) if state[4] > 10.0 else y - quantile) - state[3]
        ) / (state[4] + 5.0)
    return surprise
