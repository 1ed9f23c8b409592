"""Counters of network interfaces."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.kernels.counters import Counts, beyond_wrap, difference


def counter_increase(
    now: Counts, before: Counts, bits: Floats, uptime: Floats, uptime_before: Floats
) -> Floats:
    """The increase of a counter between two polls, in the counter's unit.

    A lower uptime means a restart: the counter began at 0 again, so the increase is its new value.
    A lower counter without a restart has wrapped. Equal uptimes are one stale answer delivered
    twice: NaN, not 0.

    Args:
        now: the counter at this poll, as float64, int64 or uint64.
        before: the counter at the previous poll, of the same type.
        bits: width of the counter, such as 32 or 64.
        uptime: seconds since the agent started, at this poll.
        uptime_before: seconds since the agent started, at the previous poll.

    Source: RFC 2863 (ifTable) and RFC 3418 (sysUpTime).
    """
    restarted, stale = uptime < uptime_before, uptime == uptime_before
    fell, size = difference(before, now)
    grown = np.where(fell, beyond_wrap(size, bits), size.astype(np.float64))
    return np.where(stale, np.nan, np.where(restarted, now, grown))
