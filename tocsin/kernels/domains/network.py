"""Counters of network interfaces."""

from __future__ import annotations

import numpy as np

from tocsin.kernels.batch import Floats


def counter_increase(
    now: Floats, before: Floats, bits: Floats, uptime: Floats, uptime_before: Floats
) -> Floats:
    """What a counter of so many bits grew by between two polls; uptime: seconds since its agent started.

    An uptime that fell is a restart: the counter began at 0 again, and what it counted before that is not known, so the increase
    is what it shows now. A counter that fell while the agent ran on has wrapped. Polls with the same uptime are one answer given
    twice: NaN, not an increase of nothing. After RFC 2863 (ifTable) and RFC 3418 (sysUpTime).
    """
    restarted, stale = uptime < uptime_before, uptime == uptime_before
    grown = np.where(now >= before, now - before, now - before + np.exp2(bits))
    return np.where(stale, np.nan, np.where(restarted, now, grown))
