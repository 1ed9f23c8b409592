"""Detectors of several columns and ensembles, against plain oracles and on what they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from tocsin.foundation.faults import Faults
from tocsin.kernels.batch import FOREVER, SYSTEM_FIELDS, readings_schema, timestamps
from tocsin.kernels.detection.components import components, control_limits, standing_out
from tocsin.parts.registry import find
from tocsin.steps.detect.step import Detect

START = 1_772_445_600_000_000


def run(made: Any, x: Any, cadence: float = 300.0) -> tuple[Any, Any]:
    states = np.array([made.start_state()])
    return made.score_many(
        x, 1_772_409_600.0 + np.arange(len(x)) * cadence, np.array([0, len(x)]), states
    )


def correlated(size: int, seed: int = 0) -> Any:
    """Three columns that two causes move."""
    random = np.random.default_rng(seed)
    causes = random.normal(size=(size, 2))
    return causes @ np.array([[1.0, 0.8, 0.2], [0.1, 0.4, 1.0]]) * [
        1.0,
        10.0,
        100.0,
    ] + random.normal(size=(size, 3)) * [
        0.1,
        1,
        10,
    ]


def test_t_squared_and_q_equal_those_of_a_principal_component_analysis() -> None:
    x = correlated(500)
    covariance = np.cov(x.T, bias=True)
    eigenvalues, vectors = np.zeros(3), np.zeros((3, 3))
    kept = components.plain(covariance, 0.9, eigenvalues, vectors)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    _, values, axes = np.linalg.svd(standard, full_matrices=False)
    assert eigenvalues == pytest.approx(values**2 / len(x))
    assert kept == 2
    projected = standard @ axes.T
    t_squared = (projected[:, :2] ** 2 / eigenvalues[:2]).sum(axis=1)
    q = projected[:, 2] ** 2
    limit_t, limit_q = control_limits.plain(eigenvalues, 2, 3.719)
    expected = np.sqrt(np.maximum(t_squared / limit_t, q / limit_q))
    found = [standing_out.plain(row, eigenvalues, vectors, 2, 3.719)[0] for row in standard]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("chance", [0.01, 0.001])
def test_control_limits_are_exceeded_by_chance_as_often_as_configured(chance: float) -> None:
    made = find("detectors", "principal_components")(
        false_alarms=chance, memory=10**6, warm_up=2000
    ).of_columns(3)
    scores, _ = run(made, correlated(60_000))
    assert (scores[5000:] >= 1).mean() == pytest.approx(2 * chance, rel=0.5)


def test_a_column_that_leaves_the_others_is_found_and_named_though_it_is_in_its_own_range() -> None:
    x = correlated(3000)
    x[2500] = x[2499]
    x[2500, 1] = x[:, 1].mean() - 2.2 * (x[2499, 1] - x[:, 1].mean()) - 15
    assert abs(x[2500, 1] - x[:, 1].mean()) < 3 * x[:, 1].std()
    scores, which = run(find("detectors", "principal_components")().of_columns(3), x)
    assert scores[2500] > 1
    assert which[2500] == 1
    assert (scores[:2500] > 1).sum() <= 3
    # It does not poison what follows.
    assert (scores[2501:] > 1).sum() <= 2


def test_context_explains_what_a_threshold_would_call_an_alarm() -> None:
    random = np.random.default_rng(1)
    size = 12 * 24 * 20
    hours = np.arange(size) / 12
    temperature = (
        15
        + 8 * np.sin(2 * np.pi * hours / 24)
        + 3 * np.sin(2 * np.pi * hours / 210)
        + random.normal(size=size)
    )
    demand = (
        50
        + 10 * np.cos(2 * np.pi * hours / 24)
        + 4 * np.maximum(temperature - 12, 0)
        + random.normal(size=size)
    )
    demand[-300] = np.median(demand)
    demand[-300] += 25 if demand[-301] < demand[-300] else -25
    scores, _ = run(
        find("detectors", "contextual")(threshold=5).of_columns(2),
        np.column_stack([demand, temperature]),
    )
    found = np.flatnonzero(scores[2000:] > 1) + 2000
    assert size - 300 in found
    assert len(found) <= 4


def test_least_squares_with_context_is_least_squares() -> None:
    random = np.random.default_rng(2)
    context = random.normal(size=3000)
    y = 3.0 + 2.0 * context + 0.01 * random.normal(size=3000)
    made = find("detectors", "contextual")(memory=10**9, threshold=1e9).of_columns(2)
    x = np.column_stack([y, context])
    states = np.array([made.start_state()])
    made.score_many(x, np.arange(3000) * 300.0, np.array([0, 3000]), states)
    weights = states[0, 4:12]
    # The context in units of its mean distance from its mean.
    assert weights[0] == pytest.approx(3.0 + 2.0 * states[0, 2], abs=0.05)
    assert weights[7] == pytest.approx(2.0 * states[0, 3], rel=0.05)


def test_an_ensemble_is_the_vote_of_its_members() -> None:
    x = np.random.default_rng(3).normal(size=400)
    x[300] = 30.0
    members: dict[str, Any] = {"robust_z": {"window": 30}, "ewma": {}, "cusum": {}}
    each = [run(find("detectors", name)(**config), x)[0] for name, config in members.items()]
    votes = np.array([scores / (1 + scores) for scores in each])
    for vote, together in (("mean", np.mean), ("median", np.median), ("max", np.max)):
        scores, _ = run(find("detectors", "ensemble")(members=members, vote=vote), x)
        share = together(votes, axis=0)
        assert scores == pytest.approx(share / (1 - share))
        assert ((scores / (1 + scores) >= 0) & (scores / (1 + scores) <= 1)).all()
    with pytest.raises(ValidationError, match="missing_data cannot be a member"):
        find("detectors", "ensemble")(members={"missing_data": {"after": "1 min"}, "ewma": {}})


SCHEMA = readings_schema(
    [pa.field("s", pa.string()), pa.field("a", pa.float64()), pa.field("b", pa.float64())],
    topic="t",
    allowed_lateness=0,
)


def test_an_alarm_of_several_columns_names_the_one_that_stands_out() -> None:
    random = np.random.default_rng(4)
    a = random.normal(size=300)
    b = a + 0.1 * random.normal(size=300)
    b[250] = b[250] - 3
    columns = [
        pa.array(["x"] * 300),
        pa.array(a),
        pa.array(b),
        timestamps(START + np.arange(300) * 1_000_000),
        *(pa.nulls(300, field.type) for field in SYSTEM_FIELDS[1:]),
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
    step = Detect.model_validate(
        {"of": ["a", "b"], "by": ["s"], "with": {"principal_components": {}}, "shards": 1}
    )
    outputs = dict(step.operator(SCHEMA, "r").advance([], [batch], FOREVER, None).outputs)
    raised = [row for row in outputs["alarms"].to_pylist() if row["event"] == "raise"]
    assert [row["time"].second + 60 * row["time"].minute for row in raised] == [250]
    assert raised[0]["of"] in ("a", "b")  # of two columns that part, neither is the one
    assert "expected what goes with the other columns" in raised[0]["message"]


@pytest.mark.parametrize(
    ("of", "detector", "why"),
    [
        (["a", "b"], "ewma", "judges one column"),
        ("a", "contextual", "judges several columns together"),
        (["a", "c"], "contextual", "no column 'c'"),
        (["a", "s"], "contextual", "a detector judges numbers"),
    ],
)
def test_columns_that_do_not_fit_are_refused(of: Any, detector: str, why: str) -> None:
    with pytest.raises(Exception, match=why) as raised:
        Detect.model_validate({"of": of, "by": ["s"], "with": detector}).output_schema(SCHEMA)
    assert isinstance(raised.value, Faults)
