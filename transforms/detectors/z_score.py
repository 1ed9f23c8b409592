"""Distance from the mean of the last readings, in standard deviations."""

from __future__ import annotations

from tocsin.api.detector import Detector, Floats, Param, SensorState, numbers


class ZScore(Detector):
    """Distance from the mean of the last readings, in standard deviations, over the threshold.

    The mean does not include the reading itself. An outlier enters the window only up to the
    threshold, so that one spike does not hide the next. Scores 0 until `warm_up` readings were
    seen. State: 8 bytes a reading of the window.
    """

    window: int = Param(60, help="readings to compare with", ge=3, le=10_000)
    threshold: float = Param(3.0, help="standard deviations at the alarm line", gt=0)
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
    def step(x: float, _t: float, parameters: ZScore, state: State) -> tuple[float, float]:
        readings, count, place = state.readings, int(state.count), int(state.place)
        score, mean, value = 0.0, x, x
        if count >= min(parameters.warm_up, parameters.window):
            total = 0.0
            for at in range(count):
                total += readings[at]
            mean = total / count
            spread = 0.0
            for at in range(count):
                spread += (readings[at] - mean) ** 2
            deviation = max((spread / (count - 1)) ** 0.5, parameters.smallest_deviation)
            limit = deviation * parameters.threshold
            score = abs(x - mean) / deviation / parameters.threshold
            if score > 1.0:
                value = mean + (limit if x > mean else -limit)
        readings[place] = value
        state.count = min(count + 1, parameters.window)
        state.place = (place + 1) % parameters.window
        return score, mean

    examples = [
        (
            {"window": 5, "warm_up": 3, "threshold": 2.0},
            [1.0, 2.0, 3.0, 2.0, 10.0],
            [0.0, 0.0, 0.0, 0.0, 4.898979486],
        ),
    ]
