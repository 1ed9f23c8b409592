"""Anything unusual, without tuning."""

from __future__ import annotations

import numpy as np

from tocsin.api.detector import (
    TAIL,
    Detector,
    Floats,
    Param,
    Recurrence,
    State,
    kernel,
    learn,
    learn_profile,
    predict,
    profile_at,
    tail_surprise,
)

_DAY = 86_400.0
_WARM_UP, _RING, _SHAPE = 40, 256, 12
_LAGS = (1, 2, 3, 4, 6, 8, 12, 24)
_FEATURES = len(_LAGS) + 4
_DAY_BINS, _WEEK_BINS = 48, 168
_SLOW, _HORIZON = 4000.0, 6000.0
_SEVERAL, _ENOUGH = 20.0, 30.0

# Statistics, with the least mean excess of each in the logarithm, and its weight: `bench detectors` on seeds 0 to 219.
_STATISTICS = (
    "innovation",
    "season",
    "energy",
    "stuck",
    "level",
    "sum",
    "season_energy",
    "amplitude",
    "shape",
)
_FLOORS = (0.1, 0.1, 0.06, 0.3, 0.1, 0.16, 0.06, 0.06, 0.06)
_WEIGHTS = (0.65, 0.8, 0.4, 2.0, 0.55, 1.5, 0.5, 1.5, 1.0)
_COMMON = 1.8

# Places in the state.
_SEEN, _WHEN, _CADENCE, _CENTER, _SCALE, _MEAN, _PEAK, _RUN = range(8)
(_ERROR, _SEASON, _SEASON_SIZE, _ENERGY, _MOVE, _LOW, _HIGH, _RISE, _FALL, _SEASON_ENERGY, _AMPLITUDE, _AMPLITUDE_MEAN,
 _USUAL, _USUAL_SPREAD, _SEASONS, _GRAIN, _DISTANCE) = range(8, 25)  # fmt: skip
_READINGS = 25
_COEFFICIENTS = _READINGS + _RING
_COVARIANCE = _COEFFICIENTS + _FEATURES
_DAY_MEANS = _COVARIANCE + _FEATURES * _FEATURES
_DAY_COUNTS = _DAY_MEANS + _DAY_BINS
_WEEK_MEANS = _DAY_COUNTS + _DAY_BINS
_WEEK_COUNTS = _WEEK_MEANS + _WEEK_BINS
_TAILS = _WEEK_COUNTS + _WEEK_BINS
_WIDTH = _TAILS + TAIL * len(_STATISTICS)


@kernel
def _follow(state, at, value, memory):  # type: ignore[no-untyped-def]
    """Move a mean towards a value, which counts for one in `memory`."""
    state[at] += (value - state[at]) / memory


@kernel
def _keep_time(state, t):  # type: ignore[no-untyped-def]
    """Learn the time between readings, by its logarithm."""
    seen, step = state[_SEEN], t - state[_WHEN]
    state[_WHEN] = t
    if seen == 1.0:
        state[_CADENCE] = step
    elif seen > 1.0:
        ratio = np.log(max(step, 1e-3) / max(state[_CADENCE], 1e-3))
        state[_CADENCE] *= np.exp(0.05 * min(max(ratio, -1.0), 1.0))


@kernel
def _begin(state):  # type: ignore[no-untyped-def]
    """From the first readings: what is the middle, and what a usual distance from it."""
    first = state[_READINGS : _READINGS + _WARM_UP]
    ordered = np.sort(first)
    middle = ordered[_WARM_UP // 2]
    scale = (ordered[_WARM_UP * 9 // 10] - ordered[_WARM_UP // 10]) / 2.56
    if scale <= 0.0:
        scale = max(np.std(first), 1e-3 * abs(middle), 1e-6)
    state[_CENTER], state[_SCALE] = middle, scale
    for at in range(_WARM_UP):
        first[at] = (first[at] - middle) / scale
    for at in range(_FEATURES):
        state[_COVARIANCE + at * _FEATURES + at] = 10.0
    # To begin with, the next reading is half of the last one.
    state[_COEFFICIENTS + 1] = 0.5


@kernel
def _describe(state, day, week, a_day, a_week, features):  # type: ignore[no-untyped-def]
    """Features of the next reading: one, readings before it, their mean, what is usual at this time of day and of week,
    where a day or week before has told (a_day, a_week: readings of one in a bin). Gives the mean and the last."""
    seen = int(state[_SEEN])
    features[0] = 1.0
    for at in range(len(_LAGS)):
        features[1 + at] = state[_READINGS + (seen - _LAGS[at]) % _RING]
    mean = 0.0
    for back in range(1, 33):
        mean += state[_READINGS + (seen - back) % _RING] / 32.0
    by_day = profile_at(
        state[_DAY_MEANS:_DAY_COUNTS],
        state[_DAY_COUNTS:_WEEK_MEANS],
        day,
        a_day + 1.0,
        state[_MEAN],
    )
    by_week = profile_at(
        state[_WEEK_MEANS:_WEEK_COUNTS], state[_WEEK_COUNTS:_TAILS], week, a_week + 1.0, by_day
    )
    features[_FEATURES - 3], features[_FEATURES - 2], features[_FEATURES - 1] = (
        mean,
        by_day,
        by_week,
    )
    return mean, by_week


@kernel
def _nearest(state, z):  # type: ignore[no-untyped-def]
    """Root mean square distance of the last readings, without their mean, to the nearest such shape before them; NaN: too few."""
    seen = int(state[_SEEN])
    known = min(seen + 1, _RING)
    if known < 3 * _SHAPE:
        return np.nan
    past = np.empty(known)
    past[known - 1] = z
    for back in range(1, known):
        past[known - 1 - back] = state[_READINGS + (seen - back) % _RING]
    nearest, last = 1e300, known - _SHAPE
    for begin in range(last - _SHAPE + 1):
        total = squares = 0.0
        for at in range(_SHAPE):
            difference = past[last + at] - past[begin + at]
            total += difference
            squares += difference * difference
        nearest = min(nearest, max(squares - total * total / _SHAPE, 0.0))
    return (nearest / _SHAPE) ** 0.5


@kernel
def _level(state, z, age):  # type: ignore[no-untyped-def]
    """How far outside of the range of 96 % of the readings so far, in quarters of it; learns the range."""
    if age == 1.0:
        state[_LOW], state[_HIGH] = z, z
    low, high = state[_LOW], state[_HIGH]
    spread = max(high - low, 0.2 * state[_SEASON_SIZE], 1e-4)
    outside = max(z - high, low - z, 0.0) / spread * 4.0
    if age <= _ENOUGH:
        state[_LOW], state[_HIGH] = min(low, z), max(high, z)
    else:
        gain = 6.0 * spread / min(age, _SLOW)
        state[_HIGH] += gain * (0.98 if z > high else -0.02)
        state[_LOW] -= gain * (0.98 if z < low else -0.02)
    return outside


@kernel
def _statistics(state, z, error, usual, is_usual, mean, age, found):  # type: ignore[no-untyped-def]
    """Sizes of what could be unusual, in logarithms: `found`, in the order of _STATISTICS; -1 for what cannot be told, which is
    the season's where no day before tells what is usual now. Learns what each is measured by."""
    moved = abs(z - state[_READINGS + (int(state[_SEEN]) - 1) % _RING])
    if moved > 0.0 and (state[_GRAIN] == 0.0 or moved < state[_GRAIN]):
        state[_GRAIN] = moved
    # An error of less than a quarter of the least step that the sensor ever makes is none.
    size = max(state[_ERROR], 0.25 * state[_GRAIN], 1e-4)
    found[0] = np.log1p(abs(error) / size)
    found[1] = found[6] = -1.0
    if is_usual:
        residual = z - usual
        state[_SEASONS] += 1.0
        season = max(state[_SEASON_SIZE], 1e-4)
        most = 6.0 * season if state[_SEASONS] > _SEVERAL else abs(residual)
        _follow(state, _SEASON_SIZE, min(abs(residual), most), min(state[_SEASONS], _SLOW))
        season = max(state[_SEASON_SIZE], 1e-4)
        _follow(state, _SEASON, residual, 12.0)
        _follow(state, _SEASON_ENERGY, min(abs(residual), 6.0 * season), 40.0)
        found[1] = np.log1p(2.0 * abs(state[_SEASON]) / season)
        found[6] = max(
            np.log((state[_SEASON_ENERGY] + 1e-3 * season + 1e-6) / (season + 1e-6)), 0.0
        )
    _follow(state, _ENERGY, min(abs(error), 8.0 * size), 16.0)
    found[2] = max(np.log((state[_ENERGY] + 1e-3 * size + 1e-6) / (size + 1e-6)), 0.0)
    if age > _SEVERAL:
        _follow(state, _MOVE, min(moved, 6.0 * max(state[_MOVE], 1e-4)), min(age, _SLOW))
    else:
        _follow(state, _MOVE, moved, age)
    state[_RUN] = state[_RUN] + 1.0 if moved <= 0.02 * state[_MOVE] else 0.0
    found[3] = np.log1p(state[_RUN])
    _follow(state, _MEAN, z, min(age, 2000.0))
    found[4] = np.log1p(_level(state, z, age))
    # Page's cumulative sums of the errors, with half their mean size as slack.
    unit = min(max(error / size, -6.0), 6.0)
    state[_RISE] = min(max(state[_RISE] + unit - 0.5, 0.0), 60.0)
    state[_FALL] = min(max(state[_FALL] - unit - 0.5, 0.0), 60.0)
    found[5] = np.log1p(max(state[_RISE], state[_FALL]))
    _follow(state, _AMPLITUDE, min(abs(z - mean), 20.0), 48.0)
    amplitude = np.log(state[_AMPLITUDE] + 1e-3)
    _follow(state, _AMPLITUDE_MEAN, amplitude, min(age, 3000.0))
    found[7] = abs(amplitude - state[_AMPLITUDE_MEAN])
    found[8] = -1.0
    distance = _nearest(state, z)
    if not np.isnan(distance):
        usual = max(state[_DISTANCE], 1e-4)
        found[8] = np.log1p(distance / max(usual, 0.1 * state[_GRAIN]))
        _follow(
            state,
            _DISTANCE,
            min(distance, 6.0 * usual) if age > _SEVERAL else distance,
            min(age, _SLOW),
        )


@kernel
def _against_usual(state, surprise, age):  # type: ignore[no-untyped-def]
    """The surprise over the greatest that is usual for this series (its 95 % quantile), which it learns."""
    usual = state[_USUAL]
    if age <= _ENOUGH:
        state[_USUAL] = max(usual, surprise)
        state[_USUAL_SPREAD] = max(0.3 * state[_USUAL], 0.1)
        return 0.0
    memory = min(age, _HORIZON)
    _follow(
        state, _USUAL_SPREAD, min(abs(surprise - usual), 3.0 * state[_USUAL_SPREAD] + 0.1), memory
    )
    gain = 20.0 * max(state[_USUAL_SPREAD], 0.05) / memory
    state[_USUAL] = max(usual + gain * (0.95 if surprise > usual else -0.05), 0.0)
    return surprise / (4.0 + usual)


@kernel
def _onset(state, level):  # type: ignore[no-untyped-def]
    """What goes on counts half of what is new: a level under the fading peak of those before it."""
    peak = 0.997 * state[_PEAK]
    state[_PEAK] = max(level, peak)
    return level if level >= peak else 0.5 * level


@kernel
def _line(cadence):  # type: ignore[no-untyped-def]
    """The alarm line: what a clean series reaches less than once a month; higher where more readings come than one a minute."""
    return min(max(1.2 + 0.3 * np.log10(60.0 / cadence), 1.2), 1.8)


def _step(x: float, t: float, state: Floats, parameters: Floats) -> tuple[float, float]:
    _keep_time(state, t)
    seen = state[_SEEN]
    if seen < _WARM_UP:
        state[_READINGS + int(seen)] = x
        state[_SEEN] = seen + 1.0
        if seen + 1.0 == _WARM_UP:
            _begin(state)
        return 0.0, x
    features, work, found = np.empty(_FEATURES), np.empty(_FEATURES), np.empty(len(_STATISTICS))
    age = seen - _WARM_UP + 1.0
    z = min(max((x - state[_CENTER]) / state[_SCALE], -60.0), 60.0)
    day, week = t % _DAY / _DAY, (t / _DAY + 3.0) % 7.0 / 7.0
    cadence = max(state[_CADENCE], 1e-3)
    a_day, a_week = (
        max(_DAY / _DAY_BINS / cadence, 1.0),
        max(7.0 * _DAY / _WEEK_BINS / cadence, 1.0),
    )
    mean, by_week = _describe(state, day, week, a_day, a_week, features)
    coefficients = state[_COEFFICIENTS:_COVARIANCE]
    expected = min(max(predict(coefficients, features), -60.0), 60.0)
    error = z - expected
    size = max(state[_ERROR], 1e-4)
    most = 4.0 * size if age > _SEVERAL else 3.0
    learn(
        coefficients,
        state[_COVARIANCE:_DAY_MEANS],
        features,
        min(max(error, -most), most),
        0.9995,
        work,
    )
    _follow(
        state,
        _ERROR,
        min(abs(error), 6.0 * size) if age > _SEVERAL else abs(error),
        min(age, _SLOW),
    )
    is_usual = state[_DAY_COUNTS + int(day * _DAY_BINS) % _DAY_BINS] > a_day
    _statistics(state, z, error, by_week, is_usual, mean, age, found)
    surprise = 0.0
    for at in range(len(_STATISTICS)):
        if found[at] >= 0.0:
            tail = state[_TAILS + at * TAIL : _TAILS + (at + 1) * TAIL]
            rare = tail_surprise(found[at], tail, _HORIZON, _FLOORS[at])
            surprise += parameters[2 + at] * max(rare - parameters[1], 0.0)
    score = _onset(state, _against_usual(state, surprise, age))
    # An outlier moves the profiles no further than six mean errors from what was expected.
    size = max(state[_ERROR], 1e-4)
    learnt = min(max(z, expected - 6.0 * size), expected + 6.0 * size)
    learn_profile(
        state[_DAY_MEANS:_DAY_COUNTS], state[_DAY_COUNTS:_WEEK_MEANS], day, learnt, 6.0 * a_day
    )
    learn_profile(
        state[_WEEK_MEANS:_WEEK_COUNTS], state[_WEEK_COUNTS:_TAILS], week, learnt, 3.0 * a_week
    )
    state[_READINGS + int(seen) % _RING] = z
    state[_SEEN] = seen + 1.0
    return parameters[0] * score * min(age / 250.0, 1.0) / _line(cadence), expected * state[
        _SCALE
    ] + state[_CENTER]


class Auto(Detector):
    """Anything unusual, without tuning: what is rare for this sensor, by nine statistics, each against its own past.

    A linear prediction (recursive least squares over the last readings and the usual value of this time of day and of week)
    gives errors; of them and of the values come: innovation, a shift against the season, energy, a stuck value, a level never
    seen, cumulative sums, energy of the season's residuals, amplitude, a shape unlike those of the last 256 readings. How rare
    each is, its own tail tells (`tail_surprise`); the surprises beyond the common ones are added and set against what is usual
    for the series. An anomaly that goes on scores half of what it scored when it was new: with `clear_below` at 0.5, which is
    the default here, its alarm stays up.

    No look-ahead; any cadence from 1 s to 1 day, in UTC. The first 40 readings score 0, and the next 250 less than later ones
    would. A gap is a longer time between two readings and no anomaly of its own (see `missing_data`). State: 7,312 bytes a
    sensor. Calibrated to [0, 1): score / (1 + score), with the alarm line at 0.5.
    """

    sensitivity: float = Param(1.0, help="over 1 raises more alarms, under 1 fewer", gt=0, le=100)

    step = Recurrence(_step)
    clear_below = 0.5

    def start_state(self) -> State:
        return (0.0,) * _WIDTH

    def parameters(self) -> State:
        return (self.sensitivity, _COMMON, *_WEIGHTS)

    examples = [({}, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0])]
