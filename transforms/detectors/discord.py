"""A shape that did not occur before."""

from __future__ import annotations

from math import nan

from tocsin.api.detector import Detector, Floats, Param, SensorState, kernel, numbers


@kernel
def _nearest(past: Floats, seen: int, length: int, known: int) -> float:
    """The least squared distance of the last `length` readings to an earlier shape, mean removed.

    past: a ring, in which reading `seen` is the last of `known`. Earlier shapes begin at least a
    length before the beginning of the last one, so that no shape is compared with itself.
    """
    size = len(past)
    nearest = 1e300
    for back in range(length, known - length + 1):
        mean = 0.0
        for at in range(length):
            mean += past[(seen - at) % size] - past[(seen - at - back) % size]
        mean /= length
        total = 0.0
        for at in range(length):
            total += (past[(seen - at) % size] - past[(seen - at - back) % size] - mean) ** 2
            if total >= nearest:
                break
        nearest = min(nearest, total)
    return nearest


class Discord(Detector):
    """The last readings as a shape: the distance to the nearest earlier shape, over the usual one.

    Shapes are compared without their mean: a level alone is no shape. Distances are in mean
    deviations of the earlier distances. The past holds `past` readings; a shape that occurred
    within it is known. Scores 0 until `warm_up`. A gap joins the readings around it. State: 8
    bytes a reading of the past. Time: in proportion to `past` times `length` a reading.
    Source: Yeh et al.: Matrix Profile I, ICDM 2016 (discords), restricted to the past.
    """

    length: int = Param(16, help="readings of a shape", ge=3, le=256)
    past: int = Param(400, help="readings that are kept", ge=20, le=10_000)
    threshold: float = Param(6.0, help="mean deviations at the alarm line", gt=0)
    warm_up: int = Param(200, help="readings before the first judgement", ge=10)

    class State(SensorState):
        """Readings seen, mean and mean deviation of the nearest distances, a ring of readings."""

        seen: float = 0.0
        usual: float = 0.0
        spread: float = 0.0
        readings: Floats = numbers("past")

    @staticmethod
    def step(x: float, _t: float, parameters: Discord, state: State) -> tuple[float, float]:
        length, size, threshold = parameters.length, parameters.past, parameters.threshold
        seen = int(state.seen)
        state.readings[seen % size] = x
        state.seen = seen + 1.0
        known = min(seen + 1, size)
        if known < 3 * length:
            return 0.0, nan
        distance = (_nearest(state.readings, seen, length, known) / length) ** 0.5
        usual, spread = state.usual, state.spread
        score = 0.0
        if seen + 1 >= parameters.warm_up:
            score = (distance - usual) / max(spread, 1e-9 + 1e-6 * abs(usual)) / threshold
        most = usual + threshold * spread
        learnt = min(distance, most) if score > 1.0 else distance
        weight = 1.0 / min(seen + 2.0 - 3.0 * length, float(size))
        state.usual += weight * (learnt - usual)
        state.spread += weight * (abs(learnt - usual) - state.spread)
        return max(score, 0.0), nan

    def expectation(self, expected: float) -> str:
        return "a shape seen before"

    examples = [({}, [1.0, 2.0, 1.0], [0.0, 0.0, 0.0])]
