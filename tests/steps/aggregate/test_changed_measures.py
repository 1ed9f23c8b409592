"""A change of measures that gives partial results another meaning would lose state."""

from __future__ import annotations

import pytest

from tocsin.compiler.checker import check_text
from tocsin.compiler.state_compatibility import changes, state_of

JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      config: {topic: air, schema: schemas/air_reading.avsc, event_time: observed_at}
    - type: Aggregate
      config: {by: [sensor_id], every: 1 h, measures: {MEASURES}}
"""
BEFORE = "a: min(value), b: max(value), c: p95(value)"


@pytest.mark.parametrize(
    ("after", "loses"),
    [
        (BEFORE, False),
        ("other: min( value ), b: max(value), c: p50(value)", False),
        ("b: max(value), a: min(value), c: p95(value)", True),
        ("a: max(value), b: min(value), c: p95(value)", True),
        ("a: min(value), b: max(-value), c: p95(value)", True),
        ("a: min(value), b: max(2 * value), c: p95(value)", True),
    ],
)
def test_a_partial_result_keeps_its_meaning(after: str, loses: bool) -> None:
    before, changed = (
        state_of(check_text("job.yaml", JOB.replace("MEASURES", text))[0])
        for text in (BEFORE, after)
    )
    found = changes(before, changed)
    assert any(one.loses for one in found) == loses, found
    assert not loses or "measure 'm" in found[0].sentence
