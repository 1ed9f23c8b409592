"""Distance from the median of the last readings, in scaled median absolute deviations."""

from __future__ import annotations

from tocsin.api.detector import (
    Detector,
    Floats,
    Param,
    SensorState,
    in_order,
    median_deviation,
    numbers,
)


class RobustZ(Detector):
    """Distance from the median of the last readings, over the threshold.

    The distance is in median absolute deviations. The factor 1.4826 turns these into standard
    deviations of normal data. The median does not include the reading itself. Outliers up to half
    the window do not move it. Scores 0 until `warm_up` readings were seen. State: 8 bytes a
    reading of the window.
    Source: Iglewicz and Hoaglin: How to detect and handle outliers (1993).
    """

    window: int = Param(60, help="readings to compare with", ge=3, le=10_000)
    threshold: float = Param(3.5, help="deviations at the alarm line", gt=0)
    warm_up: int = Param(10, help="readings before the first judgement", ge=2)
    smallest_deviation: float = Param(
        1e-9, help="deviations below this count as this, in the unit of the column", gt=0
    )

    class State(SensorState):
        """The last readings in a ring, how many there are, and where the next one goes."""

        count: float = 0.0
        place: float = 0.0
        readings: Floats = numbers("window")

    @staticmethod
    def step(x: float, _t: float, parameters: RobustZ, state: State) -> tuple[float, float]:
        count, place = int(state.count), int(state.place)
        score, median = 0.0, x
        if count >= min(parameters.warm_up, parameters.window):
            ordered = in_order(state.readings[:count])
            median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2.0
            deviation = 1.4826 * median_deviation(ordered, median)
            deviation = max(deviation, parameters.smallest_deviation)
            score = abs(x - median) / deviation / parameters.threshold
        state.readings[place] = x
        state.count = min(count + 1, parameters.window)
        state.place = (place + 1) % parameters.window
        return score, median

    examples = [
        (
            {"window": 5, "warm_up": 3, "threshold": 2.0},
            [1.0, 2.0, 3.0, 9.0],
            [0.0, 0.0, 0.0, 2.360717658],
        ),
    ]
