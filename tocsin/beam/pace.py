"""How long a live source asks to be left alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from apache_beam.utils.timestamp import Duration

# Flink's runner (2.62, in its handler of bundle checkpoints) takes the whole seconds of a requested delay for milliseconds.
MISREAD = 1000
# A call so much earlier than asked for is no chance; two in a row are the runner's way.
EARLY, PROOF = 0.5, 2


class Pace:
    """Asks a runner for a pause, in the runner's own idea of time, which is found out by looking at the clock.

    Each self-checkpoint of a splittable DoFn costs state on Flink, so a pause that is not made is not harmless.
    A runner that keeps to what was asked for is never asked for more.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._asked: float | None = None
        self._early = 0

    def called(self) -> None:
        """The DoFn was called again."""
        if self._asked is None:
            return
        passed = self._clock() - self._asked
        if self._early < PROOF:
            self._early = self._early + 1 if passed < self.seconds * EARLY else 0
        elif passed > self.seconds * 20:
            self._early = 0
        self._asked = None

    def pause(self) -> Duration:
        """What to ask for."""
        self._asked = self._clock()
        return Duration.of(self.seconds * (MISREAD if self._early >= PROOF else 1))
