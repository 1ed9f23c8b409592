"""A shape that was not there before."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, Recurrence, State


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    """state: readings seen, mean and mean size of nearest distances, then a ring of readings."""
    length, size, threshold, warm_up = (
        int(parameters[0]),
        int(parameters[1]),
        parameters[2],
        parameters[3],
    )
    seen = int(state[0])
    state[3 + seen % size] = x
    state[0] = seen + 1.0
    known = min(seen + 1, size)
    if known < 3 * length:
        return 0.0, float("nan")
    nearest = 1e300
    # Shapes begin at least a length before this one's beginning, so that none is compared with itself.
    for back in range(length, known - length + 1):
        mean = 0.0
        for at in range(length):
            mean += state[3 + (seen - at) % size] - state[3 + (seen - at - back) % size]
        mean /= length
        total = 0.0
        for at in range(length):
            total += (
                state[3 + (seen - at) % size] - state[3 + (seen - at - back) % size] - mean
            ) ** 2
            if total >= nearest:
                break
        nearest = min(nearest, total)
    distance = (nearest / length) ** 0.5
    usual, spread = state[1], state[2]
    score = (
        (distance - usual) / max(spread, 1e-9 + 1e-6 * abs(usual)) / threshold
        if seen + 1 >= warm_up
        else 0.0
    )
    most = usual + threshold * spread
    learnt = min(distance, most) if score > 1.0 else distance
    weight = 1.0 / min(seen + 2.0 - 3.0 * length, float(size))
    state[1] += weight * (learnt - usual)
    state[2] += weight * (abs(learnt - usual) - state[2])
    return max(score, 0.0), float("nan")


class Discord(Detector):
    """The last readings as a shape, against all shapes of a bounded past: the distance to the nearest, over what is usual.

    Shapes are compared without their mean: a level alone is no shape. Distances are in mean deviations of those before. The past
    holds `past` readings, so a shape that returns within it is known. Scores 0 until `warm_up`. A gap joins what is around it.
    State: 8 bytes a reading of the past and sensor; time: past times length a reading.
    Source: Yeh et al.: Matrix Profile I, ICDM 2016 (discords), with the past only, as a stream needs it.
    """

    length: int = Param(16, help="readings of a shape", ge=3, le=256)
    past: int = Param(400, help="readings that are remembered", ge=20, le=10_000)
    threshold: float = Param(6.0, help="mean deviations at the alarm line", gt=0)
    warm_up: int = Param(200, help="readings before the first judgement", ge=10)

    step = Recurrence(_step)

    def start_state(self) -> State:
        return (0.0,) * (3 + self.past)

    def parameters(self) -> State:
        return (float(self.length), float(self.past), self.threshold, float(self.warm_up))

    def expectation(self, expected: float) -> str:
        return "a shape seen before"

    examples = [({}, [1.0, 2.0, 1.0], [0.0, 0.0, 0.0])]
