"""A profile of this process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tocsin.profile.attribution import seconds_by_part
from tocsin.profile.flame_graph import flame_graph
from tocsin.profile.stacks import recording, weighed
from tocsin.profile.threads import ThreadTimes


@dataclass
class Profile:
    """A profile.

    parts: processor seconds by part of the work, which add up to `total`. flame: the flame graph as
    SVG.
    """

    parts: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    flame: str = ""


@contextmanager
def profiled(title: str) -> Iterator[Profile]:
    """Profile this process until the block ends, which fills the profile.

    Raises Failure if py-spy is not installed or not permitted.
    """
    profile = Profile()
    with recording(os.getpid()) as spy:
        times = ThreadTimes(os.getpid())
        times.start()
        began = time.process_time()
        yield profile
        profile.total = time.process_time() - began
        threads = times.stop()
    weights = weighed(spy.stacks(), threads)
    profile.parts = seconds_by_part(weights, profile.total)
    profile.flame = flame_graph(weights, title)
