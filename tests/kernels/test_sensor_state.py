"""A detector's state by name: rows of numbers in Python and in compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest

from tocsin.kernels.batch import Floats
from tocsin.kernels.recurrence import Recurrence
from tocsin.kernels.sensor_state import Layout, SensorState, numbers
from tocsin.laws.readings import batch
from tocsin.parts.registry import find
from tocsin.steps.detect.step import Detect


class Kept(SensorState):
    seen: float = 0.0
    mean: float = -1.0
    recent: Floats = numbers("window", start=7.0)
    grid: Floats = numbers(2, "window")


@dataclass
class Owner:
    window: int = 3


def test_numbers_come_first_and_arrays_have_the_sizes_that_the_detector_gives() -> None:
    layout = Layout.of(Kept, Owner())
    assert layout.sizes == {"seen": 1, "mean": 1, "recent": 3, "grid": 6}
    assert layout.start == (0.0, -1.0, 7.0, 7.0, 7.0, *[0.0] * 6)
    assert layout.bounds == (11, 2, 3, 5, 2, 3)
    assert Layout.of(Kept, Owner(5)).width == 17


def test_a_view_reads_and_writes_one_row_or_the_columns_of_a_block() -> None:
    layout, rows = Layout.of(Kept, Owner()), np.arange(22.0).reshape(2, 11)
    one = layout.view(rows[1])
    assert (one.seen, one.mean, one.recent.tolist()) == (11.0, 12.0, [13.0, 14.0, 15.0])
    assert one.grid[1].tolist() == [19.0, 20.0, 21.0]
    one.mean, one.grid[0, 2] = 0.5, 0.25
    one.recent = [1.0, 2.0, 3.0]
    assert rows[1].tolist() == [11, 0.5, 1, 2, 3, 16, 17, 0.25, 19, 20, 21]
    block = layout.view(rows)
    assert block.mean.tolist() == [1.0, 0.5]
    assert block.grid.shape == (2, 2, 3)
    block.seen = 4.0
    assert rows[:, 0].tolist() == [4.0, 4.0]


def _step(x: float, t: float, parameters: Owner, state: Kept) -> tuple[float, float]:
    place = int(state.seen) % len(state.recent)
    state.seen += 1
    state.mean = state.mean + (x - state.mean) / state.seen
    state.recent[place] = x
    state.grid[1, place] += t
    return state.grid.sum(), state.recent[0] + state.mean


@pytest.mark.parametrize("window", [2, 3, 5])
def test_compiled_code_changes_the_same_numbers_as_plain_code(window: int) -> None:
    layout, recurrence = Layout.of(Kept, Owner(window)), RECURRENCE
    x, t = np.random.default_rng(window).normal(size=40), np.arange(40.0)
    fast, plain = np.tile(layout.start, (2, 1)), np.array(layout.start)
    starts = np.array([0, 20, 40])
    scores, expected = recurrence.run(x, t, starts, fast, (), layout)
    found = recurrence.run_plain(x[20:], t[20:], layout.view(plain), ())
    assert np.array_equal([scores[20:], expected[20:]], found)
    assert np.array_equal(fast[1], plain)
    assert not np.array_equal(fast[0], plain)
    interpreted = np.tile(layout.start, (2, 1))
    with mock.patch("numba.config.DISABLE_JIT", 1):
        again = recurrence.run(x, t, starts, interpreted, (), layout)
    assert np.array_equal(again, [scores, expected])
    assert np.array_equal(interpreted, fast)


RECURRENCE = Recurrence(_step, Kept)


def test_a_state_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Late\.count: single numbers come before arrays"):

        class Late(SensorState):
            recent: Floats = numbers(3)
            count: float = 0.0

    with pytest.raises(TypeError, match=r"Bare\.count needs a start value"):

        class Bare(SensorState):
            count: float

    with pytest.raises(TypeError, match=r"Taken\.rows: every state has this"):

        class Taken(SensorState):
            rows: float = 0.0


def test_parameters_are_the_numbers_of_a_detector_by_name() -> None:
    parameters = find("detectors", "ewma")(alpha=0.25, warm_up=7).parameters()
    assert (parameters.alpha, parameters.warm_up) == (0.25, 7)
    assert find("detectors", "california")(algorithm=7).parameters().algorithm == 7


def test_the_upgrade_check_sees_the_names_and_sizes_of_the_state() -> None:
    schema = batch(np.zeros(1)).schema
    described = [
        Detect.model_validate(
            {"of": "value", "by": ["sensor_id"], "with": {"robust_z": {"window": window}}}
        ).state_depends_on(schema)
        for window in (60, 90)
    ]
    assert described[0]["state"] == {"count": 1, "place": 1, "readings": 60}
    assert described[1]["state"] == {"count": 1, "place": 1, "readings": 90}
