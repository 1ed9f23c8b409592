"""Laws for detectors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats
from tocsin.laws.kit import demand, instances, law
from tocsin.laws.readings import cuts, series
from tocsin.parts.detector import width_of

_CASES = 8
_LARGEST_STATE = 128 * 1024
_HALF_UNIT = 1e-9


def _times(size: int) -> Floats:
    return np.asarray(1_772_409_600.0 + np.arange(size) * 10.0, np.float64)


def _states(made: Any, sensors: int = 1) -> Floats:
    """A row of state for each sensor, before its first reading."""
    return np.tile(np.array(made.start_state(), np.float64), (sensors, 1))


def _alone(made: Any, values: Floats) -> Floats:
    """Scores of one sensor by the plain form."""
    return np.asarray(made.score(values, _times(len(values)), made.layout().view(_states(made)[0])))


def _made(part: Any) -> list[Any]:
    """The detector in its configurations; of several columns where it judges several."""
    return [made.of_columns(2) if made.several else made for made in instances(part)]


def _seen(made: Any, values: Floats) -> Floats:
    """The values as the detector sees them: with a second column where it judges several."""
    if not made.several:
        return values
    return np.column_stack([values, np.round(np.cumsum(np.nan_to_num(values) - 20.0), 1)])


def _run(made: Any, values: Floats, at: list[int]) -> Floats:
    """Scores of one sensor in pieces, the state carried over."""
    state = _states(made)
    scores, times = [], _times(len(values))
    for a, b in itertools.pairwise(at):
        starts = np.array([0, b - a], np.int64)
        found, _ = made.score_many(
            _seen(made, values)[a:b].copy(), times[a:b].copy(), starts, state
        )
        scores.append(found)
    return np.concatenate(scores)


def _equal(one: Floats, other: Floats) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def examples_hold(part: Any) -> None:
    """The scores of each example are those that the detector gives; readings are 1 s apart."""
    demand(
        bool(part.examples), f"{part.__name__} needs an example: (configuration, readings, scores)"
    )
    for config, given, expected in part.examples:
        values, starts = np.array(given, np.float64), np.array([0, len(given)], np.int64)
        made = part(**config) if values.ndim == 1 else part(**config).of_columns(values.shape[1])
        state = _states(made)
        scores, _ = made.score_many(values, 1_772_409_600.0 + np.arange(len(given)), starts, state)
        near = np.allclose(
            scores, np.array(expected, np.float64), rtol=1e-6, atol=_HALF_UNIT, equal_nan=True
        )
        demand(near, f"{config} over {given} scores {scores.tolist()}, the example says {expected}")


def cutting_the_series_changes_nothing(part: Any) -> None:
    """Scores do not depend on where a series is cut: the state carries over all that matters."""
    for made in _made(part):
        for seed in range(_CASES):
            values = series(seed, missing=False)
            at = cuts(seed, len(values))
            whole, cut = _run(made, values, [0, len(values)]), _run(made, values, at)
            demand(
                _equal(whole, cut),
                f"{made!r}, seed {seed}, cut at {at}: {_first_difference(whole, cut)}",
            )


def vector_equals_scalar(part: Any) -> None:
    """The compiled form over many sensors gives what the plain form gives for each."""
    for made in _made(part):
        for seed in range(_CASES):
            values = [series(seed * 10 + i, 20 + i, missing=False) for i in range(3)]
            starts = np.cumsum([0, *(len(v) for v in values)]).astype(np.int64)
            times = np.concatenate([_times(len(v)) for v in values])
            states = _states(made, 3)
            together, _ = made.score_many(
                np.concatenate([_seen(made, v) for v in values]), times, starts, states
            )
            alone = np.concatenate([_alone(made, _seen(made, v)) for v in values])
            near = np.allclose(together, alone, rtol=1e-12, atol=1e-12, equal_nan=True)
            demand(near, f"{made!r}, seed {seed}: {_first_difference(together, alone)}")


def sensors_do_not_meet(part: Any) -> None:
    """The scores of one sensor do not depend on other sensors."""
    for made in _made(part):
        for seed in range(_CASES):
            mine, other = series(seed, missing=False), series(seed + 100, missing=False) * 7
            starts = np.array([0, len(other), len(other) + len(mine)], np.int64)
            states = _states(made, 2)
            times = np.concatenate([_times(len(other)), _times(len(mine))])
            both, _ = made.score_many(
                np.concatenate([_seen(made, other), _seen(made, mine)]), times, starts, states
            )
            alone = _run(made, mine, [0, len(mine)])
            demand(
                _equal(both[len(other) :], alone),
                f"{made!r}, seed {seed}: {_first_difference(both[len(other) :], alone)}",
            )


def readings_are_not_changed(part: Any) -> None:
    """Scoring leaves the readings as they were."""
    for made in _made(part):
        values = _seen(made, series(1, missing=False))
        before, starts = values.copy(), np.array([0, len(values)], np.int64)
        made.score_many(values, _times(len(values)), starts, _states(made))
        demand(_equal(values, before), f"{made!r} changes its input")
        _alone(made, values)
        demand(_equal(values, before), f"{made!r} changes its input")


def missing_readings_change_nothing(part: Any) -> None:
    """A missing reading scores NaN, and the scores of the others are as if it were not there."""
    for made in _made(part):
        for seed in range(_CASES):
            values = _seen(made, series(seed))
            present = ~np.isnan(values) if values.ndim == 1 else ~np.isnan(values).any(axis=1)
            state = _states(made)
            times, starts = _times(len(values)), np.array([0, len(values)], np.int64)
            scores, _ = made.score_many(values.copy(), times, starts, state)
            state = _states(made)
            starts = np.array([0, int(present.sum())], np.int64)
            without, _ = made.score_many(values[present], times[present], starts, state)
            demand(
                bool(np.isnan(scores[~present]).all()),
                f"{made!r}, seed {seed}: a missing reading has a score",
            )
            demand(
                _equal(scores[present], without),
                f"{made!r}, seed {seed}: {_first_difference(scores[present], without)}",
            )


def state_is_bounded(part: Any) -> None:
    """A sensor's state has at most 128 KiB."""
    for made in _made(part):
        size = 8 * width_of(made)
        demand(size <= _LARGEST_STATE, f"{made!r} keeps {size:,} bytes a sensor")


def _first_difference(one: Floats, other: Floats) -> str:
    if len(one) != len(other):
        return f"{len(one)} scores against {len(other)}"
    differs = ~((one == other) | (np.isnan(one) & np.isnan(other)))
    at = int(np.argmax(differs))
    return f"reading {at} scores {one[at]!r} against {other[at]!r}"


LAWS = [
    law(examples_hold),
    law(cutting_the_series_changes_nothing),
    law(vector_equals_scalar),
    law(sensors_do_not_meet),
    law(readings_are_not_changed),
    law(missing_readings_change_nothing),
    law(state_is_bounded),
]
