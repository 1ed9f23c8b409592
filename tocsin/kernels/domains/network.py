"""Counters of network interfaces."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats


def counter_increase(
    now: Floats, before: Floats, bits: Floats, uptime: Floats, uptime_before: Floats
) -> Floats:
    """The increase of a counter between two polls, in the counter's unit.

    A lower uptime means a restart: the counter began at 0 again, so the increase is its new value.
    A lower counter without a restart has wrapped. Equal uptimes are one stale answer delivered
    twice: NaN, not 0.

    Args:
        now: the counter at this poll.
        before: the counter at the previous poll.
        bits: width of the counter, such as 32 or 64.
        uptime: seconds since the agent started, at this poll.
        uptime_before: seconds since the agent started, at the previous poll.

    Source: RFC 2863 (ifTable) and RFC 3418 (sysUpTime).
    """
    restarted, stale = uptime < uptime_before, uptime == uptime_before
    grown = np.where(now >= before, now - before, now - before + np.exp2(bits))
    return np.where(stale, np.nan, np.where(restarted, now, grown))
