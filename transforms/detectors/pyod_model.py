"""Models of PyOD, refitted to the last readings."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from pydantic import model_validator

from tocsin.api.detector import Detector, Floats, Int64s, Param, SensorState, class_of, numbers


class PyodModel(Detector):
    """A model of `pyod.models`, refitted to the last `window` readings. Needs `pip install pyod`.

    The input is each reading with the `length` - 1 readings before it. The model's score is scaled:
    0 is the median of the readings that it was fitted to, 1 its threshold by `contamination`.
    Scores 0 until the window is full. A restart fits the same model to the same readings again:
    their values are the state, 16 bytes a reading of the window.

    Raises ValueError for an unknown model, and for a `length` over a quarter of `window`.
    """

    model: str = Param(
        help="module and class of pyod.models", examples=["iforest.IForest", "ecod.ECOD"]
    )
    parameters_: dict[str, Any] = Param({}, help="parameters of the model", alias="parameters")
    window: int = Param(256, help="readings to fit the model to", ge=16, le=8000)
    refit: int = Param(64, help="readings after which it is refitted", ge=1)
    length: int = Param(1, help="consecutive readings that make one input", ge=1, le=64)
    contamination: float = Param(
        0.01,
        help="share of outliers among the readings of the window",
        gt=0,
        le=0.5,
    )

    @model_validator(mode="after")
    def _fits(self) -> PyodModel:
        if self.length > self.window // 4:
            raise ValueError(f"`length` is {self.length}, more than a quarter of `window`")
        self._class()
        return self

    def _class(self) -> Any:
        module, _, kind = self.model.rpartition(".")
        return class_of("pyod.models", module, kind, "pyod")

    class State(SensorState):
        """Readings seen, the last readings (latest last), and those of the current fit."""

        seen: float = 0.0
        recent: Floats = numbers("window")
        fitted: Floats = numbers("window")

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        scores, layout = np.where(np.isinf(x), np.inf, np.nan), self.layout()
        for segment in range(len(starts) - 1):
            rows = np.arange(starts[segment], starts[segment + 1])
            self._score_one(x, rows[np.isfinite(x[rows])], layout.view(states[segment]), scores)
        return scores, np.full(len(x), np.nan)

    def _score_one(self, x: Floats, rows: Int64s, state: State, scores: Floats) -> None:
        done = 0
        while done < len(rows):
            seen = int(state.seen)
            # All readings up to the next fit are scored at once.
            some = rows[done : done + max(self._next_fit(seen) - seen, 1)]
            if seen >= self.window:
                before = state.recent[self.window - self.length + 1 :]
                inputs = _embedded(np.r_[before, x[some]], self.length)
                scores[some] = self._fitted(state.fitted.tobytes()).scores(inputs)
            else:
                scores[some] = 0.0
            state.recent = np.r_[state.recent, x[some]][-self.window :]
            seen += len(some)
            state.seen = seen
            done += len(some)
            if seen >= self.window and (seen - self.window) % self.refit == 0:
                state.fitted = state.recent

    def _next_fit(self, seen: int) -> int:
        """Readings seen when the model is fitted next."""
        if seen < self.window:
            return self.window
        return seen + self.refit - (seen - self.window) % self.refit

    def _fitted(self, window: bytes) -> _Fitted:
        """The model fitted to a window; each worker caches some."""
        key = (
            self.model,
            repr(sorted(self.parameters_.items())),
            self.contamination,
            self.length,
            window,
        )
        if key not in _FITTED:
            found = self._class()
            given = {"contamination": self.contamination, **self.parameters_}
            if "random_state" in inspect.signature(found.__init__).parameters:
                given.setdefault("random_state", 0)
            if len(_FITTED) >= _KEPT:
                _FITTED.pop(next(iter(_FITTED)))
            _FITTED[key] = _Fitted(found(**given), _embedded(np.frombuffer(window), self.length))
        return _FITTED[key]

    examples = [({"model": "ecod.ECOD", "window": 16}, [1.0, 2.0], [0.0, 0.0])]


class _Fitted:
    """A fitted model, and its scores at the median of the window and at its threshold."""

    def __init__(self, made: Any, rows: Floats) -> None:
        made.fit(rows)
        self.made = made
        self.median, self.line = float(np.median(made.decision_scores_)), float(made.threshold_)

    def scores(self, rows: Floats) -> Floats:
        """0 at the median, 1 at the threshold.

        One row at a time: some models, such as ECOD, let rows that are scored together interact.
        """
        found = np.array(
            [float(self.made.decision_function(row.reshape(1, -1))[0]) for row in rows]
        )
        return np.maximum((found - self.median) / max(self.line - self.median, 1e-9), 0.0)


def _embedded(line: Floats, length: int) -> Floats:
    """A row for each reading: the reading with those before it."""
    return np.lib.stride_tricks.sliding_window_view(line, length)


_FITTED: dict[Any, _Fitted] = {}
_KEPT = 256
