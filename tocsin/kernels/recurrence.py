"""A recurrence over one sensor's readings, run over many sensors at once by a compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import machine_of
from tocsin.kernels.sensor_state import Layout, SensorState

Step = Callable[..., tuple[float, float]]


class Recurrence:
    """`step(x, t, parameters, state) -> (score, expected)`, which changes `state` in place.

    x: value; t: event time in seconds; both finite. parameters: a named tuple of numbers.
    Missing values (NaN) never reach a step: their score is NaN and the state stays as it was.
    An infinite value scores infinity and leaves the state as it was, so it cannot poison it.

    Where several columns are judged together, x is a row of them. One value that is missing or
    infinite makes the whole row missing or infinite.
    """

    def __init__(self, step: Step, state: type[SensorState]) -> None:
        self.step = step
        self.state = state

    @cached_property
    def _compiled(self) -> Callable[..., None]:
        return self._compile(np.isnan, np.isinf)

    @cached_property
    def _compiled_rows(self) -> Callable[..., None]:
        return self._compile(machine_of(_any_missing), machine_of(_any_infinite))

    def _compile(self, missing: Any, infinite: Any) -> Callable[..., None]:
        from numba import njit

        from tocsin.kernels.compiled_state import state_of

        step = machine_of(self.step)
        run: Callable[..., None] = njit(nogil=True)(
            _driver(step, state_of(self.state), missing, infinite)
        )
        return run

    def run(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats, parameters: Any, layout: Layout
    ) -> tuple[Floats, Floats]:
        """Scores and expected values of all rows, compiled (plain with NUMBA_DISABLE_JIT=1).

        starts: as in Segments. states: one row a segment, changed in place.
        """
        from numba import config

        if config.DISABLE_JIT:
            views = [layout.view(row) for row in states]
            return self._loop(x, t, starts, views, parameters)
        scores, expected = np.empty(len(x)), np.empty(len(x))
        compiled = self._compiled if x.ndim == 1 else self._compiled_rows
        compiled(x, t, starts, states, parameters, layout.bounds, scores, expected)
        return scores, expected

    def run_plain(
        self, x: Floats, t: Floats, state: SensorState, parameters: Any
    ) -> tuple[Floats, Floats]:
        """The same for one sensor in plain Python: the oracle of `run`."""
        return self._loop(x, t, np.array([0, len(x)]), [state], parameters)

    def _loop(
        self, x: Floats, t: Floats, starts: Int64s, states: list[Any], parameters: Any
    ) -> tuple[Floats, Floats]:
        """The loop in plain Python. states: a view of each segment's row."""
        scores, expected = np.empty(len(x)), np.empty(len(x))
        tests = (np.isnan, np.isinf) if x.ndim == 1 else (_any_missing, _any_infinite)
        driver = _driver(self.step, lambda state, _: state, *tests)
        driver(x, t, starts, states, parameters, None, scores, expected)
        return scores, expected


def _any_missing(row: Floats) -> bool:
    return bool(np.isnan(row).any())


def _any_infinite(row: Floats) -> bool:
    return bool(np.isinf(row).any())


def _driver(step: Any, state_of: Any, missing: Any, infinite: Any) -> Callable[..., None]:
    """The loop over segments and their rows; what it calls is fixed when it is compiled."""

    def run(
        x: Floats,
        t: Floats,
        starts: Int64s,
        states: Any,
        parameters: Any,
        bounds: Any,
        scores: Floats,
        expected: Floats,
    ) -> None:
        for segment in range(len(starts) - 1):
            state = state_of(states[segment], bounds)
            for row in range(starts[segment], starts[segment + 1]):
                if missing(x[row]):
                    scores[row], expected[row] = np.nan, np.nan
                elif infinite(x[row]):
                    scores[row], expected[row] = np.inf, np.nan
                else:
                    scores[row], expected[row] = step(x[row], t[row], parameters, state)

    return run
