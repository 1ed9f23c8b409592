"""An incident between two traffic stations."""

from __future__ import annotations

from typing import ClassVar, Literal

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: Floats, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: stage (0 free, 1 tentative, 2 incident), intervals until a wave has passed, time of the last interval, and the
    occupancy downstream one and two before."""
    up, down = x[0], x[1]
    interval, difference, relative, drop, wave_drop, wave_level, quiet = parameters
    before = state[4]
    if t - state[2] > 1.5 * interval:
        # An interval is missing: what is two readings back is not two intervals back.
        before = float("nan")
        state[3] = float("nan")
    state[4], state[3], state[2] = state[3], down, t
    spatial = up - down
    share = spatial / up if up > 0.0 else 0.0
    change = (before - down) / before if before > 0.0 else 0.0
    if quiet > 0.0 and down >= wave_level and change < wave_drop:
        state[1] = quiet
    suppressed = state[1] > 0.0
    if suppressed:
        state[1] -= 1.0
    begins = spatial >= difference and share >= relative and change >= drop and not suppressed
    lasts = share >= relative
    if state[0] == 0.0:
        state[0] = 1.0 if begins else 0.0
    elif lasts and not (suppressed and state[0] == 1.0):
        state[0] = 2.0
    else:
        state[0] = 0.0
    if state[0] == 2.0:
        return 1.0, 0.0
    return min(0.9, max(0.0, min(spatial / difference, share / relative))), 0.0


class California(Detector):
    """California #7 and #8: an incident between two stations; occupancy upstream far over that downstream, which falls.

    Takes two columns, occupancy upstream and downstream of a section, from 0 to 1, of one reading an `interval`. An incident is
    tentative when the difference, its share of the upstream occupancy, and the drop downstream within two intervals are over
    their thresholds, and confirmed (score 1) when in the next interval the share still is; it lasts as long as that. #8 stays
    quiet for five intervals after a compression wave came from downstream: occupancy there high and rising fast.
    Thresholds are one implementation's; calibrate them for each site. Source: Payne and Tignor, Freeway incident-detection
    algorithms based on decision trees with states, Transportation Research Record 682 (1978).
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
        0.3, help="#8: occupancy downstream from which on it is one", gt=0, lt=1
    )

    start = (0.0, 0.0, float("-inf"), float("nan"), float("nan"))
    step = Recurrence(_step)

    def parameters(self) -> State:
        quiet = 5.0 if self.algorithm == 8 else 0.0
        return (
            self.interval,
            self.difference,
            self.relative,
            self.drop,
            self.wave_drop,
            self.wave_level,
            quiet,
        )

    def expectation(self, expected: float) -> str:
        return f"less than {self.relative:.0%} over the occupancy downstream"

    examples = [
        (
            {},
            [[0.1, 0.1], [0.1, 0.1], [0.4, 0.05], [0.4, 0.05], [0.1, 0.1]],
            [0.0, 0.0, 0.9, 1.0, 0.0],
        )
    ]
