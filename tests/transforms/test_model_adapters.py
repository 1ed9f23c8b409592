"""Adapters score like their libraries, reading by reading, wherever the batches are cut."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from tocsin.parts.registry import find


def readings(size: int = 600) -> Any:
    x = np.random.default_rng(0).normal(20, 2, size)
    x[500:501] = 60.0
    return x


def run(made: Any, x: Any, cut: int) -> Any:
    """Scores in two batches; only the state carries over."""
    states = np.array([made.start_state()])
    parts = []
    for part in (x[:cut], x[cut:]):
        parts.append(
            made.score_many(
                part.copy(), np.arange(len(part)) * 1.0, np.array([0, len(part)]), states
            )[0]
        )
        states = np.frombuffer(states.tobytes()).reshape(1, -1).copy()
    return np.concatenate(parts)


@pytest.mark.parametrize("name", ["ZScore", "RobustZScore", "IQR"])
def test_beam_anomaly_scores_as_beam_does(name: str) -> None:
    import apache_beam as beam

    x = readings(300)
    modules = {"ZScore": "zscore", "RobustZScore": "robust_zscore", "IQR": "iqr"}
    model: Any = getattr(import_module(f"apache_beam.ml.anomaly.detectors.{modules[name]}"), name)()
    expected = []
    for value in x:
        score = model.score_one(beam.Row(x=value))
        model.learn_one(beam.Row(x=value))
        expected.append(np.nan if score is None else score)
    scores = run(find("detectors", "beam_anomaly")(model=name, threshold=3), x, 137)
    np.testing.assert_allclose(scores, np.array(expected) / 3, rtol=1e-12)


def test_river_scores_as_river_does() -> None:
    anomaly = pytest.importorskip("river.anomaly")
    compose, preprocessing = (
        pytest.importorskip("river.compose"),
        pytest.importorskip("river.preprocessing"),
    )
    parameters = {"seed": 1, "n_trees": 5, "height": 5, "window_size": 50}
    model = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(**parameters))
    expected = []
    for value in readings():
        expected.append(model.score_one({"x": value}))
        model.learn_one({"x": value})
    made = find("detectors", "river_model")(
        model="HalfSpaceTrees", parameters=parameters, scale=True, threshold=0.9, state_bytes=90_000
    )
    np.testing.assert_allclose(run(made, readings(), 301), np.array(expected) / 0.9)
    scores = run(
        find("detectors", "river_model")(model="GaussianScorer", threshold=0.9999), readings(), 200
    )
    assert scores[500] > 1


@pytest.mark.parametrize(
    ("name", "length"), [("iforest.IForest", 1), ("ecod.ECOD", 1), ("knn.KNN", 4)]
)
def test_pyod_models_find_outliers_and_do_not_depend_on_the_cuts(name: str, length: int) -> None:
    pytest.importorskip("pyod")
    made = find("detectors", "pyod_model")(model=name, window=128, refit=128, length=length)
    x = readings(520)
    scores = run(made, x, 333)
    np.testing.assert_array_equal(scores, run(made, x, 20))
    assert scores[500] > 1
    assert (scores[:128] == 0).all()
    assert (scores[128:500] > 1).mean() < 0.1


@pytest.mark.parametrize(
    ("detector", "config", "why"),
    [
        ("river_model", {"model": "NoSuch", "threshold": 1}, "river.anomaly has no 'NoSuch'"),
        ("beam_anomaly", {"model": "os.system"}, "'ZScore', 'RobustZScore' or 'IQR'"),
        ("pyod_model", {"model": "iforest.os"}, "pyod.models has no 'iforest.os'"),
        (
            "river_model",
            {"model": "HalfSpaceTrees", "threshold": 1, "parameters": {"trees": 3}},
            "HalfSpaceTrees: .*unexpected keyword",
        ),
        (
            "pyod_model",
            {"model": "iforest.IsolationForest"},
            "pyod.models has no 'iforest.IsolationForest'",
        ),
        ("pyod_model", {"model": "no.Such"}, "pyod.models has no 'no.Such'"),
        ("beam_anomaly", {"model": "ZScore", "state_bytes": 256}, "more than `state_bytes`"),
    ],
)
def test_an_unknown_model_is_refused(detector: str, config: Any, why: str) -> None:
    pytest.importorskip("pyod")
    with pytest.raises(ValueError, match=why):
        run(find("detectors", detector)(**config), readings(400), 300)
