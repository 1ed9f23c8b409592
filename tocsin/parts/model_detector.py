"""Detectors of other libraries, whose state is an object: pickled bytes of a bounded size."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

import numpy as np

from tocsin.kernels.batch import Floats, Int64s
from tocsin.kernels.sensor_state import SensorState, numbers
from tocsin.parts.detector import Detector
from tocsin.parts.part import Param

# A float64 holds every integer of this many bytes exactly.
_BYTES = 6


def class_of(package: str, module: str, name: str, install: str) -> Any:
    """A class of another library. Raises ValueError where the library or the class is missing."""
    try:
        found = getattr(
            importlib.import_module(f"{package}.{module}" if module else package), name, None
        )
    except ModuleNotFoundError as error:
        if error.name == package.partition(".")[0]:
            raise ValueError(f"{error.name} is not installed: pip install {install}") from None
        found = None
    # A job is data: it may name the library's own classes only, not what the library imports.
    root = package.partition(".")[0]
    if not isinstance(found, type) or found.__module__.partition(".")[0] != root:
        raise ValueError(f"{package} has no '{f'{module}.{name}' if module else name}'")
    return found


class ObjectDetector(Detector):
    """An object that scores and learns one reading at a time: tens of thousands a second.

    The object is pickled after each batch. Raises ValueError where that takes more than
    `state_bytes`. Only the step's own state is unpickled.
    """

    threshold: float = Param(help="the model's score at the alarm line", gt=0)
    state_bytes: int = Param(
        16_384, help="bytes that a sensor's pickled model may have", ge=256, le=120_000
    )

    class State(SensorState):
        """The length of the pickled object (0: none yet), and its bytes, six to a number."""

        size: float = 0.0
        packed: Floats = numbers("packed_numbers")

    @property
    def packed_numbers(self) -> int:
        """Numbers that hold `state_bytes`."""
        return -(-self.state_bytes // _BYTES)

    def new(self) -> Any:
        """The object of a new sensor. Raises ValueError."""
        raise NotImplementedError

    def score_and_learn(self, model: Any, x: float) -> float:
        """The model's score of one reading, NaN for none; the model learns it."""
        raise NotImplementedError

    def score_many(
        self, x: Floats, t: Floats, starts: Int64s, states: Floats
    ) -> tuple[Floats, Floats]:
        """Scores of all sensors; each sensor's object is unpickled, and pickled again."""
        scores, layout = np.where(np.isinf(x), np.inf, np.nan), self.layout()
        for segment in range(len(starts) - 1):
            rows = np.arange(starts[segment], starts[segment + 1])
            rows = rows[np.isfinite(x[rows])]
            if not len(rows):
                continue
            state = layout.view(states[segment])
            size = int(state.size)
            # The step wrote these bytes itself.
            model = pickle.loads(_unpacked(state.packed, size)) if size else self.new()  # noqa: S301
            for row in rows:
                scores[row] = self.score_and_learn(model, float(x[row])) / self.threshold
            data = pickle.dumps(model, protocol=5)
            if len(data) > self.state_bytes:
                raise ValueError(
                    f"the model has {len(data):,} bytes, "
                    f"more than `state_bytes` ({self.state_bytes:,})"
                )
            state.size, state.packed = len(data), _packed(data, self.packed_numbers)
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
