"""Models of PyOD, fitted again and again to the last readings."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from pydantic import model_validator

from tocsin.api.detector import Detector, Floats, Int64s, Param, State, class_of


class PyodModel(Detector):
    """A model of `pyod.models`, fitted to the last `window` readings every `refit` readings; needs `pip install pyod`.

    A reading is seen with the `length` - 1 before it. The model's score is put so that the median of what it was fitted to is 0
    and its threshold, by `contamination`, is 1. A restart fits the same model to the same readings again: their values are the
    state, 16 bytes a reading of the window.
    """

    model: str = Param(
        help="module and class of pyod.models", examples=["iforest.IForest", "ecod.ECOD"]
    )
    parameters_: dict[str, Any] = Param({}, help="its parameters", alias="parameters")
    window: int = Param(256, help="readings that it is fitted to", ge=16, le=8000)
    refit: int = Param(64, help="readings after which it is fitted again", ge=1)
    length: int = Param(1, help="readings that are seen together", ge=1, le=64)
    contamination: float = Param(
        0.01,
        help="share of the readings that it is fitted to that it takes for outliers",
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

    def start_state(self) -> State:
        # Readings seen; the last ones, the latest last; those that the model is fitted to.
        return (0.0,) * (1 + 2 * self.window)

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        scores = np.where(np.isinf(x), np.inf, np.nan)
        for segment in range(len(starts) - 1):
            rows = np.arange(starts[segment], starts[segment + 1])
            self._score_one(x, rows[np.isfinite(x[rows])], states[segment], scores)
        return scores, np.full(len(x), np.nan)

    def _score_one(self, x: Floats, rows: Int64s, state: Floats, scores: Floats) -> None:
        done = 0
        while done < len(rows):
            seen = int(state[0])
            # Up to where the model is fitted again, readings are scored at once.
            following = (
                self.window
                if seen < self.window
                else seen + self.refit - (seen - self.window) % self.refit
            )
            some = rows[done : done + max(following - seen, 1)]
            recent = state[1 : 1 + self.window]
            line = (
                np.r_[recent[self.window - self.length + 1 :], x[some]]
                if self.length > 1
                else x[some]
            )
            if seen >= self.window:
                fitted = self._fitted(state[1 + self.window :].tobytes())
                scores[some] = fitted.scores(_embedded(line, self.length))
            else:
                scores[some] = 0.0
            recent[:] = np.r_[recent, x[some]][-self.window :]
            state[0] = seen + len(some)
            done += len(some)
            if state[0] >= self.window and (int(state[0]) - self.window) % self.refit == 0:
                state[1 + self.window :] = recent

    def _fitted(self, window: bytes) -> _Fitted:
        """The model fitted to a window; workers keep some."""
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
    """A model, and the scores of what it was fitted to at the median and at its threshold."""

    def __init__(self, made: Any, rows: Floats) -> None:
        made.fit(rows)
        self.made = made
        self.median, self.line = float(np.median(made.decision_scores_)), float(made.threshold_)

    def scores(self, rows: Floats) -> Floats:
        """0 at the median, 1 at the threshold. One row at a time: some models, such as ECOD, see what is scored together."""
        found = np.array(
            [float(self.made.decision_function(row.reshape(1, -1))[0]) for row in rows]
        )
        return np.maximum((found - self.median) / max(self.line - self.median, 1e-9), 0.0)


def _embedded(line: Floats, length: int) -> Floats:
    """Each reading with those before it, a row each."""
    return (
        np.lib.stride_tricks.sliding_window_view(line, length)
        if length > 1
        else line.reshape(-1, 1)
    )


_FITTED: dict[Any, _Fitted] = {}
_KEPT = 256
