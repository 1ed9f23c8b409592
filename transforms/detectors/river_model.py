"""Detectors of River."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import model_validator

from tocsin.api.detector import ObjectDetector, Param, class_of


class RiverModel(ObjectDetector):
    """A model of `river.anomaly`: the model's score over the threshold. Needs `pip install river`.

    The model scores a reading before it learns it. Models that expect features in [0, 1], such as
    HalfSpaceTrees, need `scale`. Raises ValueError for an unknown model or wrong parameters.
    """

    model: str = Param(help="class of river.anomaly", examples=["HalfSpaceTrees"])
    parameters_: dict[str, Any] = Param(
        {}, help="parameters of the model, such as {seed: 1, window_size: 100}", alias="parameters"
    )
    scale: bool = Param(False, help="scale readings to [0, 1] by the range so far")

    @model_validator(mode="after")
    def _is_there(self) -> RiverModel:
        self.new()
        return self

    def new(self) -> Any:
        kind = class_of("river.anomaly", "", self.model, "river")
        try:
            made = kind(**self.parameters_)
        except TypeError as error:
            raise ValueError(f"{self.model}: {error}") from None
        if not self.scale:
            return made
        scaler = class_of("river.preprocessing", "", "MinMaxScaler", "river")()
        return class_of("river.compose", "", "Pipeline", "river")(scaler, made)

    def score_and_learn(self, model: Any, x: float) -> float:
        # A supervised model judges a target; here it has no features.
        if "y" in inspect.signature(model.score_one).parameters:
            score = model.score_one({}, x)
            model.learn_one({}, x)
        else:
            score = model.score_one({"x": x})
            model.learn_one({"x": x})
        return float(score)

    examples = [
        (
            {"model": "GaussianScorer", "parameters": {"grace_period": 2}, "threshold": 0.99},
            [1.0, 1.0],
            [0.0, 0.0],
        )
    ]
