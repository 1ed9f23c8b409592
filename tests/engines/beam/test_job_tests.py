"""A job's own tests report each difference and write nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tocsin.compiler.checker import check_text
from tocsin.compiler.job import Job
from tocsin.engines.beam.job_tests import run_test
from tocsin.foundation.failure import Mistake

JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      name: Read
      config: {topic: city, schema: city.avsc, event_time: at, out_of_orderness: 5 s}
    - type: Validate
      config: {rules: {value: {max: 100}}}
    - type: Aggregate
      name: Minutes
      config: {every: 1 min, by: [sensor], measures: {total: sum(value), readings: count(value)}}
    - {type: WriteToLake, config: {lake: LAKE, dataset: minutes}}
"""
SCHEMA = """{"type": "record", "name": "R", "fields": [{"name": "sensor", "type": "string"},
{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
{"name": "value", "type": ["null", "double"]}]}"""
READ = {
    "columns": ["sensor", "at", "value"],
    "rows": [
        ["a", "2026-03-02T10:00:05Z", 1.5],
        ["a", "2026-03-02T10:00:06Z", 2.5],
        ["a", "2026-03-02T10:00:07Z", 200.0],
        ["b", "2026-03-02T10:01:05Z", None],
    ],
}
MINUTES = {
    "columns": ["sensor", "window_start", "total", "readings"],
    "rows": [
        ["a", "2026-03-02T10:00:00Z", 4.0, 2],
        ["b", "2026-03-02T10:01:00Z", None, 0],
    ],
}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "city.avsc").write_text(SCHEMA)
    text = JOB.replace("LAKE", str(tmp_path / "lake"))
    return check_text(str(tmp_path / "job.yaml"), text)[0]


def test(**parts: Any) -> dict[str, Any]:
    return {"name": "minutes", "given": {"Read": READ}, "expect": {"Minutes": MINUTES}, **parts}


def test_expected_rows_of_steps_and_rejects_pass_and_sinks_write_nothing(
    job: Job, tmp_path: Path
) -> None:
    rejects = [{"reason": "invalid", "message": "value is above 100"}]
    result = run_test(job, test(expect={"Minutes": MINUTES, "Validate.rejects": rejects}))
    assert result.passed
    assert result.mismatches == []
    assert not (tmp_path / "lake").exists()


def test_each_missing_and_extra_row_is_a_mismatch(job: Job) -> None:
    expected = {**MINUTES, "rows": [["a", "2026-03-02T10:00:00Z", 5.0, 2], MINUTES["rows"][1]]}
    result = run_test(job, test(expect={"Minutes": expected}))
    assert not result.passed
    assert sorted(found.row["total"] for found in result.mismatches) == [4.0, 5.0]


def test_contains_permits_further_rows(job: Job) -> None:
    some = {**MINUTES, "rows": MINUTES["rows"][:1]}
    assert not run_test(job, test(expect={"Minutes": some})).passed
    assert run_test(job, test(expect={"Minutes": {**some, "contains": True}})).passed


def test_partitions_of_a_test_have_watermarks_of_their_own(job: Job) -> None:
    rows = [
        {"sensor": "a", "at": "2026-03-02T10:05:00Z", "value": 1.0, "partition": 0},
        {"sensor": "b", "at": "2026-03-02T10:00:00Z", "value": 2.0, "partition": 1},
    ]
    totals = [{"sensor": "a", "total": 1.0}, {"sensor": "b", "total": 2.0}]
    assert run_test(job, test(given={"Read": rows}, expect={"Minutes": totals})).passed
    one = [{key: value for key, value in row.items() if key != "partition"} for row in rows]
    late = run_test(job, test(given={"Read": one}, expect={"Minutes": totals}))
    assert [found.row["sensor"] for found in late.mismatches] == ["b"]


def test_a_source_without_rows_gives_no_output(job: Job) -> None:
    assert run_test(job, test(given={}, expect={"Minutes": []})).passed


def test_the_rows_of_one_test_do_not_reach_the_next(job: Job) -> None:
    assert run_test(job, test()).passed
    assert run_test(job, test()).passed


def test_an_unreadable_value_is_an_error(job: Job) -> None:
    rows = [{"sensor": "a", "at": "yesterday", "value": 1.0}]
    with pytest.raises(Mistake, match=r"'at' is timestamp.*Failed to parse string: 'yesterday'"):
        run_test(job, test(given={"Read": rows}))


test.__test__ = False  # type: ignore[attr-defined]
