"""A recurrence over one sensor's readings, run over many sensors at once by a compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.compiled import Kernel, kept, kernel, machine_of
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
        return self._compile(_any_missing, _any_infinite)

    def _compile(self, missing: Any, infinite: Any) -> Callable[..., None]:
        from tocsin.kernels import compiled_state

        tests = [one.machine if isinstance(one, Kernel) else one for one in (missing, infinite)]
        driver = _driver(machine_of(self.step), compiled_state.state_of(self.state), *tests)
        # The linker finds machine code by names, so those of two detectors must differ.
        driver.__qualname__ = name = f"{self.step.__module__}.{self.step.__qualname__}"
        # What reads and writes a state registers itself with Numba; nothing here refers to it.
        states = (
            compiled_state.dimensions_of(self.state),
            Path(compiled_state.__file__).read_bytes(),
        )
        made_from = (_driver, self.step, missing, infinite, *states)
        return kept(machine_of(driver), name, *made_from)

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


@kernel
def _any_missing(row: Floats) -> bool:
    # A loop, which Numba compiles: `any` of NumPy makes a process that loads this import SciPy.
    for value in row:  # noqa: SIM110
        if np.isnan(value):
            return True
    return False


@kernel
def _any_infinite(row: Floats) -> bool:
    for value in row:  # noqa: SIM110
        if np.isinf(value):
            return True
    return False


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
