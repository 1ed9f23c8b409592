"""Detectors of Beam's own anomaly package."""

from __future__ import annotations

import importlib
import math
from typing import Any, Literal

from tocsin.api.detector import ObjectDetector, Param, class_of

_PACKAGE = "apache_beam.ml.anomaly.detectors"
_MODULES = {"ZScore": "zscore", "RobustZScore": "robust_zscore", "IQR": "iqr"}


class BeamAnomaly(ObjectDetector):
    """ZScore, RobustZScore or IQR of `apache_beam.ml.anomaly`: its score over the threshold.

    The model scores a reading before it learns it. It scores NaN until it has seen enough readings.
    """

    model: Literal["ZScore", "RobustZScore", "IQR"] = Param(
        help="class of the model", examples=["ZScore"]
    )
    threshold: float = Param(3.0, help="the model's score at the alarm line", gt=0)
    state_bytes: int = Param(
        65_536, help="bytes that a sensor's pickled model may have", ge=256, le=90_000
    )

    def new(self) -> Any:
        return class_of(_PACKAGE, _MODULES[self.model], self.model, "apache-beam")()

    def score_and_learn(self, model: Any, x: float) -> float:
        row = importlib.import_module("apache_beam").Row(x=x)
        score = model.score_one(row)
        model.learn_one(row)
        return math.nan if score is None else float(score)

    examples = [
        (
            {"model": "ZScore"},
            [1.0, 2.0, 3.0, 12.0],
            [math.nan, math.nan, 0.7071067811865475, 3.3333333333333335],
        )
    ]
