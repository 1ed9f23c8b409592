"""An incident between two traffic stations."""

from __future__ import annotations

from math import inf, nan
from typing import ClassVar, Literal

from tocsin.api.detector import Detector, Floats, Param, SensorState

_FREE, _TENTATIVE, _INCIDENT = 0.0, 1.0, 2.0
_QUIET = 5.0


class California(Detector):
    """California #7 and #8: an incident between two stations of a road.

    Takes two columns, occupancy upstream and downstream of a section, from 0 to 1, with one
    reading an `interval`. An incident is tentative when three numbers exceed their thresholds: the
    difference, its share of the upstream occupancy, and the drop downstream within two intervals.
    It is confirmed (score 1) when the share still exceeds its threshold in the next interval, and
    lasts as long as that. #8 stays quiet for five intervals after a compression wave from
    downstream: occupancy there is high and rises fast.

    The default thresholds are one implementation's; calibrate them for each site.
    Source: Payne and Tignor, Freeway incident-detection algorithms based on decision trees with
    states, Transportation Research Record 682 (1978).
    """

    several: ClassVar[bool] = True

    algorithm: Literal[7, 8] = Param(8, help="#7, or #8 with its suppression of compression waves")
    interval: float = Param(60.0, help="seconds between two readings", gt=0)
    difference: float = Param(0.08, help="occupancy upstream less downstream (OCCDF)", gt=0, lt=1)
    relative: float = Param(
        0.5, help="the same as a share of the upstream occupancy (OCCRDF)", gt=0, lt=1
    )
    drop: float = Param(
        0.3,
        help="fall of the occupancy downstream within two intervals, as a share (DOCCTD)",
        gt=0,
        lt=1,
    )
    wave_drop: float = Param(
        -0.4, help="#8: a fall below this, which is a rise, is a compression wave", lt=0
    )
    wave_level: float = Param(
        0.3, help="#8: least occupancy downstream of a compression wave", gt=0, lt=1
    )

    class State(SensorState):
        """The stage; how long #8 stays quiet; the last interval, and occupancies downstream."""

        stage: float = _FREE
        quiet: float = 0.0
        time: float = -inf
        before: float = nan
        two_before: float = nan

    @staticmethod
    def step(x: Floats, t: float, parameters: California, state: State) -> tuple[float, float]:
        up, down = x[0], x[1]
        before = state.two_before
        if t - state.time > 1.5 * parameters.interval:
            # An interval is missing: two readings back is not two intervals back.
            before = nan
            state.before = nan
        state.two_before, state.before, state.time = state.before, down, t
        spatial = up - down
        share = spatial / up if up > 0.0 else 0.0
        change = (before - down) / before if before > 0.0 else 0.0
        is_wave = down >= parameters.wave_level and change < parameters.wave_drop
        if parameters.algorithm == 8 and is_wave:
            state.quiet = _QUIET
        suppressed = state.quiet > 0.0
        if suppressed:
            state.quiet -= 1.0
        lasts = share >= parameters.relative
        begins = spatial >= parameters.difference and lasts and change >= parameters.drop
        if state.stage == _FREE:
            state.stage = _TENTATIVE if begins and not suppressed else _FREE
        elif lasts and not (suppressed and state.stage == _TENTATIVE):
            state.stage = _INCIDENT
        else:
            state.stage = _FREE
        if state.stage == _INCIDENT:
            return 1.0, 0.0
        nearness = min(spatial / parameters.difference, share / parameters.relative)
        return min(0.9, max(0.0, nearness)), 0.0

    def expectation(self, expected: float) -> str:
        return f"less than {self.relative:.0%} over the occupancy downstream"

    examples = [
        (
            {},
            [[0.1, 0.1], [0.1, 0.1], [0.4, 0.05], [0.4, 0.05], [0.1, 0.1]],
            [0.0, 0.0, 0.9, 1.0, 0.0],
        )
    ]
