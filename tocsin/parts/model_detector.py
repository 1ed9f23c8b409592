"""Detectors of other libraries, whose state is an object: kept as bytes, of which a sensor has so many and no more."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.parts.detector import Detector, State
from tocsin.parts.part import Param

# A float64 holds an integer of so many bytes exactly, whatever its bits would mean.
_BYTES = 6


def class_of(package: str, module: str, name: str, install: str) -> Any:
    """A class of another library. Raises ValueError where the library or the class is not there."""
    try:
        found = getattr(
            importlib.import_module(f"{package}.{module}" if module else package), name, None
        )
    except ModuleNotFoundError as error:
        if error.name == package.partition(".")[0]:
            raise ValueError(f"{error.name} is not installed: pip install {install}") from None
        found = None
    # A job is data: what a module of the library has imported from elsewhere is not for it to name.
    root = package.partition(".")[0]
    if not isinstance(found, type) or found.__module__.partition(".")[0] != root:
        raise ValueError(f"{package} has no '{f'{module}.{name}' if module else name}'")
    return found


class ObjectDetector(Detector):
    """One reading at a time through an object that scores and learns. Python runs for each reading: tens of thousands a second.

    The object is pickled after each batch, within `state_bytes`. What is unpickled is the step's own state.
    """

    threshold: float = Param(help="the model's score at the alarm line", gt=0)
    state_bytes: int = Param(
        16_384, help="bytes that a sensor's model may have, pickled", ge=256, le=120_000
    )

    def new(self) -> Any:
        """The object of a sensor never seen. Raises ValueError."""
        raise NotImplementedError

    def score_and_learn(self, model: Any, x: float) -> float:
        """The model's score of one reading, NaN for none; the model learns it."""
        raise NotImplementedError

    def start_state(self) -> State:
        return (0.0,) * (1 + -(-self.state_bytes // _BYTES))

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        scores = np.where(np.isinf(x), np.inf, np.nan)
        for segment in range(len(starts) - 1):
            rows = np.arange(starts[segment], starts[segment + 1])
            rows = rows[np.isfinite(x[rows])]
            if not len(rows):
                continue
            size = int(states[segment, 0])
            model = pickle.loads(_unpacked(states[segment, 1:], size)) if size else self.new()
            for row in rows:
                scores[row] = self.score_and_learn(model, float(x[row])) / self.threshold
            data = pickle.dumps(model, protocol=5)
            if len(data) > self.state_bytes:
                raise ValueError(
                    f"the model has {len(data):,} bytes, more than `state_bytes` ({self.state_bytes:,})"
                )
            states[segment, 0], states[segment, 1:] = len(data), _packed(data, states.shape[1] - 1)
        return scores, np.full(len(x), np.nan)


def _packed(data: bytes, width: int) -> Floats:
    padded = np.zeros((width, 8), np.uint8)
    flat = np.frombuffer(data.ljust(-(-len(data) // _BYTES) * _BYTES, b"\0"), np.uint8).reshape(
        -1, _BYTES
    )
    padded[: len(flat), :_BYTES] = flat
    return padded.view("<u8").ravel().astype(np.float64)


def _unpacked(numbers: Floats, size: int) -> bytes:
    columns = np.ascontiguousarray(numbers).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_BYTES]
    return bytes(columns.tobytes()[:size])
