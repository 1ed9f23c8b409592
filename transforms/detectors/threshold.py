"""A limit with hysteresis."""

from __future__ import annotations

from pydantic import model_validator

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """parameters: sign, limit and clear level of two sides; NaN limit: no such side. state: whether each is exceeded."""
    worst = -1e300
    limit = parameters[1]
    for side in range(2):
        sign, line, clear = parameters[3 * side], parameters[3 * side + 1], parameters[3 * side + 2]
        if line != line:
            continue
        over, back = sign * (x - line), sign * (clear - line)
        scale = -back if back < 0.0 else max(abs(line), 1.0)
        score = 1.0 + over / scale
        if state[side] == 1.0 and over > back:
            score = max(score, 1.0)
        state[side] = 1.0 if score >= 1.0 else 0.0
        if score > worst:
            worst, limit = score, line
    return worst, limit


class Threshold(Detector):
    """A limit: the score is 1 at the limit, and stays at least 1 until the value is back at the clear level.

    With a clear level, the score falls to 0 there; without, it falls by 1 for a change of the size of the limit.
    """

    above: float | None = Param(None, help="alarm at or above, in the unit of the column")
    below: float | None = Param(None, help="alarm at or below")
    clear: float | None = Param(
        None, help="level at which an alarm by `above` is over; by default the limit itself"
    )
    clear_low: float | None = Param(None, help="level at which an alarm by `below` is over")

    start = (0.0, 0.0)
    step = Recurrence(_step)

    @model_validator(mode="after")
    def _sides(self) -> Threshold:
        if self.above is None and self.below is None:
            raise ValueError("needs `above` or `below`")
        if self.clear is not None and (self.above is None or self.clear > self.above):
            raise ValueError("`clear` goes with `above` and is not over it")
        if self.clear_low is not None and (self.below is None or self.clear_low < self.below):
            raise ValueError("`clear_low` goes with `below` and is not under it")
        return self

    def parameters(self) -> State:
        nan = float("nan")
        high = nan if self.above is None else self.above
        low = nan if self.below is None else self.below
        return (
            *(1.0, high, high if self.clear is None else self.clear),
            *(-1.0, low, low if self.clear_low is None else self.clear_low),
        )

    def expectation(self, expected: float) -> str:
        bounds = [f"below {self.above:g}"] if self.above is not None else []
        bounds += [f"above {self.below:g}"] if self.below is not None else []
        return " and ".join(bounds)

    examples = [
        (
            {"above": 50.0, "clear": 40.0},
            [30.0, 50.0, 45.0, 40.0, 45.0],
            [-1.0, 1.0, 1.0, 0.0, 0.5],
        ),
        ({"below": 10.0}, [20.0, 10.0, 5.0], [0.0, 1.0, 1.5]),
    ]
