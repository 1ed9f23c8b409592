"""Anything unusual, without tuning."""

from __future__ import annotations

import numpy as np

from tocsin.api.detector import (
    TAIL,
    Detector,
    Floats,
    Param,
    SensorState,
    kernel,
    learn,
    learn_profile,
    numbers,
    predict,
    profile_at,
    tail_surprise,
)

_DAY = 86_400.0
_WARM_UP, _RING, _LENGTH = 40, 256, 12
_LAGS = (1, 2, 3, 4, 6, 8, 12, 24)
_FEATURES = len(_LAGS) + 4
_DAY_BINS, _WEEK_BINS = 48, 168
_SLOW, _HORIZON = 4000.0, 6000.0
_SEVERAL, _ENOUGH = 20.0, 30.0

# The features after the lags.
_FEATURE_MEAN, _FEATURE_DAY, _FEATURE_WEEK = range(_FEATURES - 3, _FEATURES)

# The statistics; the least mean excess of each in the logarithm, and its weight: `bench detectors`
# on seeds 0 to 219.
_STATISTICS = 9
(
    _INNOVATION,
    _SEASON,
    _ENERGY,
    _STUCK,
    _LEVEL,
    _SUM,
    _SEASON_ENERGY,
    _AMPLITUDE,
    _SHAPE,
) = range(_STATISTICS)
_FLOORS = (0.1, 0.1, 0.06, 0.3, 0.1, 0.16, 0.06, 0.06, 0.06)
_WEIGHTS = (0.65, 0.8, 0.4, 2.0, 0.55, 1.5, 0.5, 1.5, 1.0)
# The surprise of a statistic that is common.
_COMMON = 1.8
# A statistic that has no value for this reading.
_UNKNOWN = -1.0


class _State(SensorState):
    """What the nine statistics and the prediction remember of a sensor.

    After the first 40 readings, values are in units of `scale` around `center`.
    """

    # Readings seen, the time of the last one and the time between two (seconds).
    seen: float = 0.0
    time: float = 0.0
    cadence: float = 0.0
    center: float = 0.0
    scale: float = 0.0
    # The running mean, the fading peak of the score, the run of equal readings.
    mean: float = 0.0
    peak: float = 0.0
    run: float = 0.0
    # Mean sizes: of the error, of the season's residual (signed, and its size), of recent errors.
    error: float = 0.0
    season: float = 0.0
    season_size: float = 0.0
    energy: float = 0.0
    # The mean step from one reading to the next; the range of 96 % of the readings.
    move: float = 0.0
    low: float = 0.0
    high: float = 0.0
    # Page's cumulative sums of the errors.
    rise: float = 0.0
    fall: float = 0.0
    season_energy: float = 0.0
    # The recent mean distance from the mean, and the usual logarithm of it.
    amplitude: float = 0.0
    amplitude_mean: float = 0.0
    # The 95 % quantile of the surprise, and the mean distance from it.
    usual: float = 0.0
    usual_spread: float = 0.0
    # Readings with a known season; the least step that the sensor makes; the usual distance to
    # the nearest shape.
    seasons: float = 0.0
    grain: float = 0.0
    distance: float = 0.0
    # The last readings in a ring; the linear prediction; the profiles; a tail for each statistic.
    readings: Floats = numbers(_RING)
    coefficients: Floats = numbers(_FEATURES)
    covariance: Floats = numbers(_FEATURES, _FEATURES)
    day_means: Floats = numbers(_DAY_BINS)
    day_counts: Floats = numbers(_DAY_BINS)
    week_means: Floats = numbers(_WEEK_BINS)
    week_counts: Floats = numbers(_WEEK_BINS)
    tails: Floats = numbers(_STATISTICS, TAIL)


@kernel
def _moved(mean: float, value: float, memory: float) -> float:
    """A mean moved towards a value that has the weight 1 / `memory`."""
    return mean + (value - mean) / memory


@kernel
def _keep_time(state: _State, t: float) -> None:
    """Learn the time between readings, by its logarithm."""
    step = t - state.time
    state.time = t
    if state.seen == 1.0:
        state.cadence = step
    elif state.seen > 1.0:
        ratio = np.log(max(step, 1e-3) / max(state.cadence, 1e-3))
        state.cadence *= np.exp(0.05 * min(max(ratio, -1.0), 1.0))


@kernel
def _begin(state: _State) -> None:
    """Take center and scale from the first readings, and convert these."""
    first = state.readings[:_WARM_UP]
    ordered = np.sort(first)
    middle = ordered[_WARM_UP // 2]
    scale = (ordered[_WARM_UP * 9 // 10] - ordered[_WARM_UP // 10]) / 2.56
    if scale <= 0.0:
        scale = max(np.std(first), 1e-3 * abs(middle), 1e-6)
    state.center, state.scale = middle, scale
    for at in range(_WARM_UP):
        first[at] = (first[at] - middle) / scale
    for at in range(_FEATURES):
        state.covariance[at, at] = 10.0
    # To begin with, the next reading is half of the last one.
    state.coefficients[1] = 0.5


@kernel
def _describe(
    state: _State, day: float, week: float, a_day: float, a_week: float, features: Floats
) -> tuple[float, float]:
    """Fill in the features of the next reading: a constant, earlier readings, their mean, profiles.

    The profile of the day or week counts once an earlier day or week filled the bin (a_day,
    a_week: readings of one in a bin). Gives the mean and the week's value.
    """
    seen, readings = int(state.seen), state.readings
    features[0] = 1.0
    for at in range(len(_LAGS)):
        features[1 + at] = readings[(seen - _LAGS[at]) % _RING]
    mean = 0.0
    for back in range(1, 33):
        mean += readings[(seen - back) % _RING] / 32.0
    by_day = profile_at(state.day_means, state.day_counts, day, a_day + 1.0, state.mean)
    by_week = profile_at(state.week_means, state.week_counts, week, a_week + 1.0, by_day)
    features[_FEATURE_MEAN], features[_FEATURE_DAY] = mean, by_day
    features[_FEATURE_WEEK] = by_week
    return mean, by_week


@kernel
def _nearest(state: _State, z: float) -> float:
    """Root mean square distance of the last readings to the nearest earlier shape; NaN: too few.

    Shapes are compared without their means.
    """
    seen = int(state.seen)
    known = min(seen + 1, _RING)
    if known < 3 * _LENGTH:
        return np.nan
    readings = state.readings
    past = np.empty(known)
    past[known - 1] = z
    for back in range(1, known):
        past[known - 1 - back] = readings[(seen - back) % _RING]
    nearest, last = 1e300, known - _LENGTH
    for begin in range(last - _LENGTH + 1):
        total = squares = 0.0
        for at in range(_LENGTH):
            difference = past[last + at] - past[begin + at]
            total += difference
            squares += difference * difference
        nearest = min(nearest, max(squares - total * total / _LENGTH, 0.0))
    return float((nearest / _LENGTH) ** 0.5)


@kernel
def _outside(state: _State, z: float, age: float) -> float:
    """How far outside of the range of 96 % of the readings, in quarters of it; learns the range."""
    if age == 1.0:
        state.low, state.high = z, z
    low, high = state.low, state.high
    spread = max(high - low, 0.2 * state.season_size, 1e-4)
    outside = max(z - high, low - z, 0.0) / spread * 4.0
    if age <= _ENOUGH:
        state.low, state.high = min(low, z), max(high, z)
    else:
        gain = 6.0 * spread / min(age, _SLOW)
        state.high += gain * (0.98 if z > high else -0.02)
        state.low -= gain * (0.98 if z < low else -0.02)
    return outside


@kernel
def _season_statistics(state: _State, residual: float, found: Floats) -> None:
    """The shift against the season and the energy of its residuals; learns both."""
    state.seasons += 1.0
    season = max(state.season_size, 1e-4)
    most = 6.0 * season if state.seasons > _SEVERAL else abs(residual)
    memory = min(state.seasons, _SLOW)
    state.season_size = _moved(state.season_size, min(abs(residual), most), memory)
    season = max(state.season_size, 1e-4)
    state.season = _moved(state.season, residual, 12.0)
    state.season_energy = _moved(state.season_energy, min(abs(residual), 6.0 * season), 40.0)
    found[_SEASON] = np.log1p(2.0 * abs(state.season) / season)
    found[_SEASON_ENERGY] = max(
        np.log((state.season_energy + 1e-3 * season + 1e-6) / (season + 1e-6)), 0.0
    )


@kernel
def _error_statistics(state: _State, error: float, found: Floats) -> None:
    """The innovation, the energy and the cumulative sums of the errors; learns the last two."""
    # An error of less than a quarter of the sensor's least step is none.
    size = max(state.error, 0.25 * state.grain, 1e-4)
    found[_INNOVATION] = np.log1p(abs(error) / size)
    state.energy = _moved(state.energy, min(abs(error), 8.0 * size), 16.0)
    found[_ENERGY] = max(np.log((state.energy + 1e-3 * size + 1e-6) / (size + 1e-6)), 0.0)
    # Page's cumulative sums, with half the errors' mean size as slack.
    unit = min(max(error / size, -6.0), 6.0)
    state.rise = min(max(state.rise + unit - 0.5, 0.0), 60.0)
    state.fall = min(max(state.fall - unit - 0.5, 0.0), 60.0)
    found[_SUM] = np.log1p(max(state.rise, state.fall))


@kernel
def _value_statistics(state: _State, z: float, mean: float, age: float, found: Floats) -> None:
    """The run of equal values, the level and the amplitude; learns what each is compared with."""
    moved = abs(z - state.readings[(int(state.seen) - 1) % _RING])
    if age > _SEVERAL:
        most = 6.0 * max(state.move, 1e-4)
        state.move = _moved(state.move, min(moved, most), min(age, _SLOW))
    else:
        state.move = _moved(state.move, moved, age)
    state.run = state.run + 1.0 if moved <= 0.02 * state.move else 0.0
    found[_STUCK] = np.log1p(state.run)
    state.mean = _moved(state.mean, z, min(age, 2000.0))
    found[_LEVEL] = np.log1p(_outside(state, z, age))
    state.amplitude = _moved(state.amplitude, min(abs(z - mean), 20.0), 48.0)
    amplitude = np.log(state.amplitude + 1e-3)
    state.amplitude_mean = _moved(state.amplitude_mean, amplitude, min(age, 3000.0))
    found[_AMPLITUDE] = abs(amplitude - state.amplitude_mean)


@kernel
def _shape_statistic(state: _State, z: float, age: float, found: Floats) -> None:
    """The distance to the nearest earlier shape, over the usual one, which it learns."""
    distance = _nearest(state, z)
    if not np.isnan(distance):
        usual = max(state.distance, 1e-4)
        found[_SHAPE] = np.log1p(distance / max(usual, 0.1 * state.grain))
        learnt = min(distance, 6.0 * usual) if age > _SEVERAL else distance
        state.distance = _moved(state.distance, learnt, min(age, _SLOW))


@kernel
def _learn_grain(state: _State, z: float) -> None:
    """Learn the least step that the sensor makes."""
    moved = abs(z - state.readings[(int(state.seen) - 1) % _RING])
    if moved > 0.0 and (state.grain == 0.0 or moved < state.grain):
        state.grain = moved


@kernel
def _surprise(state: _State, found: Floats) -> float:
    """The weighted sum of the statistics' surprises beyond the common one; learns the tails."""
    surprise = 0.0
    for at in range(_STATISTICS):
        if found[at] >= 0.0:
            rare = tail_surprise(found[at], state.tails[at], _HORIZON, _FLOORS[at])
            surprise += _WEIGHTS[at] * max(rare - _COMMON, 0.0)
    return surprise


@kernel
def _against_usual(state: _State, surprise: float, age: float) -> float:
    """The surprise over the greatest usual one of this series (its 95 % quantile); learns that."""
    usual = state.usual
    if age <= _ENOUGH:
        state.usual = max(usual, surprise)
        state.usual_spread = max(0.3 * state.usual, 0.1)
        return 0.0
    memory = min(age, _HORIZON)
    most = 3.0 * state.usual_spread + 0.1
    state.usual_spread = _moved(state.usual_spread, min(abs(surprise - usual), most), memory)
    gain = 20.0 * max(state.usual_spread, 0.05) / memory
    state.usual = max(usual + gain * (0.95 if surprise > usual else -0.05), 0.0)
    return surprise / (4.0 + usual)


@kernel
def _onset(state: _State, level: float) -> float:
    """The level, halved where it is under the fading peak of earlier levels: a lasting anomaly."""
    peak = 0.997 * state.peak
    state.peak = max(level, peak)
    return level if level >= peak else 0.5 * level


@kernel
def _line(cadence: float) -> float:
    """The alarm line: a clean series reaches it less than once a month.

    It is higher where readings come more often than once a minute.
    """
    return float(min(max(1.2 + 0.3 * np.log10(60.0 / cadence), 1.2), 1.8))


@kernel
def _predict(state: _State, z: float, features: Floats, age: float) -> float:
    """The prediction of this reading; learns from its error."""
    expected = min(max(predict(state.coefficients, features), -60.0), 60.0)
    error = z - expected
    size = max(state.error, 1e-4)
    most = 4.0 * size if age > _SEVERAL else 3.0
    bounded = min(max(error, -most), most)
    learn(state.coefficients, state.covariance, features, bounded, 0.9995, np.empty(_FEATURES))
    learnt = min(abs(error), 6.0 * size) if age > _SEVERAL else abs(error)
    state.error = _moved(state.error, learnt, min(age, _SLOW))
    return expected


class Auto(Detector):
    """Anything unusual, without tuning: values that are rare for this sensor.

    A linear prediction uses the last readings and the usual value of this time of day and of week;
    recursive least squares fits it. Nine statistics follow from the errors and the values:
    innovation, shift against the season, energy, stuck value, new level, cumulative sums, energy
    of the season's residuals, amplitude, and a shape unlike those of the last 256 readings. The
    tail of each statistic's own past gives its surprise (`tail_surprise`). The sum of the
    surprises beyond the common one is compared with the usual sum for this series. A lasting
    anomaly scores half of its first score: with `clear_below` at 0.5, the default here, its alarm
    stays up.

    It uses no later reading. Any cadence from 1 s to 1 day; profiles are in UTC. The first 40
    readings score 0, and the next 250 less than later ones would. A gap is a longer time between
    two readings and no anomaly of its own (see `missing_data`). State: 7,312 bytes a sensor.
    Calibrated to [0, 1): score / (1 + score), with the alarm line at 0.5.
    """

    sensitivity: float = Param(
        1.0, help="factor of the score: over 1 more alarms, under 1 fewer", gt=0, le=100
    )

    State = _State
    clear_below = 0.5

    @staticmethod
    def step(x: float, t: float, parameters: Auto, state: _State) -> tuple[float, float]:
        _keep_time(state, t)
        seen = int(state.seen)
        if seen < _WARM_UP:
            state.readings[seen] = x
            state.seen = seen + 1.0
            if seen + 1 == _WARM_UP:
                _begin(state)
            return 0.0, x
        age = seen - _WARM_UP + 1.0
        z = min(max((x - state.center) / state.scale, -60.0), 60.0)
        day, week = t % _DAY / _DAY, (t / _DAY + 3.0) % 7.0 / 7.0
        cadence = max(state.cadence, 1e-3)
        a_day = max(_DAY / _DAY_BINS / cadence, 1.0)
        a_week = max(7.0 * _DAY / _WEEK_BINS / cadence, 1.0)
        features, found = np.empty(_FEATURES), np.full(_STATISTICS, _UNKNOWN)
        mean, by_week = _describe(state, day, week, a_day, a_week, features)
        expected = _predict(state, z, features, age)
        _learn_grain(state, z)
        _error_statistics(state, z - expected, found)
        if state.day_counts[int(day * _DAY_BINS) % _DAY_BINS] > a_day:
            _season_statistics(state, z - by_week, found)
        _value_statistics(state, z, mean, age, found)
        _shape_statistic(state, z, age, found)
        score = _onset(state, _against_usual(state, _surprise(state, found), age))
        # An outlier moves the profiles no further than six mean errors from the prediction.
        size = max(state.error, 1e-4)
        learnt = min(max(z, expected - 6.0 * size), expected + 6.0 * size)
        learn_profile(state.day_means, state.day_counts, day, learnt, 6.0 * a_day)
        learn_profile(state.week_means, state.week_counts, week, learnt, 3.0 * a_week)
        state.readings[seen % _RING] = z
        state.seen = seen + 1.0
        score = parameters.sensitivity * score * min(age / 250.0, 1.0) / _line(cadence)
        return score, expected * state.scale + state.center

    examples = [({}, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0])]
