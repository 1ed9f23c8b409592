"""A recurrence over one sensor's readings, run over many sensors at once by a compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import machine_of

Step = Callable[[Any, float, Floats, Floats], tuple[float, float]]


class Recurrence:
    """`step(x, t, state, parameters) -> (score, expected)`, which changes the row `state` in place.

    x: value; t: event time in seconds; both finite. Missing values (NaN) never reach a step: their score is NaN and the
    state stays. An infinite value scores infinity and leaves the state as it was, so it cannot poison it.

    Where several columns are judged together, x is a row of them, and one that is missing or infinite stands for all.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.__doc__ = step.__doc__

    @cached_property
    def _compiled(self) -> Callable[..., None]:
        from numba import njit

        step = machine_of(self.step)
        run: Callable[..., None] = njit(nogil=True)(_driver(step))
        return run

    @cached_property
    def _compiled_rows(self) -> Callable[..., None]:
        from numba import njit

        run: Callable[..., None] = njit(nogil=True)(_rows_driver(machine_of(self.step)))
        return run

    def run(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats, parameters: Floats
    ) -> tuple[Floats, Floats]:
        """Scores and expected values of all rows; `starts` as in Segments; `states`: a row a segment, changed."""
        scores, expected = np.empty(len(x)), np.empty(len(x))
        compiled = self._compiled if x.ndim == 1 else self._compiled_rows
        compiled(x, t, starts, states, parameters, scores, expected)
        return scores, expected

    def run_plain(
        self, x: Floats, t: Floats, state: Floats, parameters: Floats
    ) -> tuple[Floats, Floats]:
        """The same for one sensor in plain Python: the oracle of `run`."""
        scores, expected = np.empty(len(x)), np.empty(len(x))
        states = state.reshape(1, -1)
        driver = _driver if x.ndim == 1 else _rows_driver
        driver(self.step)(x, t, np.array([0, len(x)]), states, parameters, scores, expected)
        return scores, expected


def _driver(step: Any) -> Callable[..., None]:
    def run(x, t, starts, states, parameters, scores, expected):  # type: ignore[no-untyped-def]
        for segment in range(len(starts) - 1):
            state = states[segment]
            for row in range(starts[segment], starts[segment + 1]):
                if np.isnan(x[row]):
                    scores[row], expected[row] = np.nan, np.nan
                elif np.isinf(x[row]):
                    scores[row], expected[row] = np.inf, np.nan
                else:
                    scores[row], expected[row] = step(x[row], t[row], state, parameters)

    return run


def _rows_driver(step: Any) -> Callable[..., None]:
    def run(x, t, starts, states, parameters, scores, expected):  # type: ignore[no-untyped-def]
        for segment in range(len(starts) - 1):
            state = states[segment]
            for row in range(starts[segment], starts[segment + 1]):
                if np.isnan(x[row]).any():
                    scores[row], expected[row] = np.nan, np.nan
                elif np.isinf(x[row]).any():
                    scores[row], expected[row] = np.inf, np.nan
                else:
                    scores[row], expected[row] = step(x[row], t[row], state, parameters)

    return run
