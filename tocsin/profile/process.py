"""A profile of the process that runs this."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tocsin.profile.attribution import accounted
from tocsin.profile.flame_graph import flame_graph
from tocsin.profile.stacks import recording, weighed
from tocsin.profile.threads import ThreadTimes


@dataclass
class Profile:
    """parts: processor seconds by part of the work, which add up to `total`. flame: a flame graph as SVG."""

    parts: dict[str, float] = field(default_factory=dict)
    total: float = 0.0
    flame: str = ""


@contextmanager
def profiled(title: str) -> Iterator[Profile]:
    """Filled when the block ends. Raises Failure where py-spy is missing or may not look."""
    profile = Profile()
    with recording(os.getpid()) as spy:
        times = ThreadTimes(os.getpid())
        times.start()
        began = time.process_time()
        yield profile
        profile.total = time.process_time() - began
        threads = times.stop()
    weights = weighed(spy.stacks(), threads)
    profile.parts = accounted(weights, profile.total)
    profile.flame = flame_graph(weights, title)
