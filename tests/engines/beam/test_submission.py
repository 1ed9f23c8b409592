"""A submission sets the options that Flink needs, and names transforms by what they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.runner import PipelineState
from pyarrow import parquet

from tocsin.compiler.checker import check_text
from tocsin.compiler.job import Job
from tocsin.engines.beam.submission import (
    Settings,
    Submitted,
    rehearse,
    switches,
    with_stable_names,
)
from tocsin.flink.endpoints import Address
from tocsin.flink.job_metadata import described
from tocsin.foundation.failure import Failure

ADDRESS = Address("http://flink:8081", "127.0.0.1:1", "pool:2")
CODE = Path("/somewhere/tocsin-code-0123456789abcdef.zip")
STATE = {"Minutes": {"columns": {"total": "double"}}}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    data = tmp_path / "data.parquet"
    at = pa.array([datetime(2026, 3, 2, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    parquet.write_table(pa.table({"sensor": ["a"], "at": at, "value": [1.5]}), data)
    text = f"""
pipeline:
  type: chain
  transforms:
    - type: ReadFiles
      name: Read
      config: {{files: {data}, event_time: at}}
    - type: Aggregate
      name: Minutes
      config: {{every: 1 min, by: [sensor], measures: {{total: sum(value)}}}}
"""
    return check_text(str(tmp_path / "Air_Quality.yaml"), text)[0]


def options_of(job: Job, **settings: Any) -> dict[str, str]:
    found = switches(job, ADDRESS, Settings(**settings), CODE, STATE)
    pairs = [option.removeprefix("--").partition("=") for option in found]
    assert len(pairs) == len({name for name, _, _ in pairs})
    return {name: value for name, _, value in pairs}


def test_one_worker_serves_each_subtask_unless_configured(job: Job) -> None:
    assert options_of(job, parallelism=3)["sdk_worker_parallelism"] == "3"
    options = options_of(job, parallelism=3, workers=2)
    assert (options["sdk_worker_parallelism"], options["parallelism"]) == ("2", "3")
    assert options["max_parallelism"] == "128"


def test_the_job_server_gets_addresses_name_and_code(job: Job) -> None:
    options = options_of(job)
    assert options["job_endpoint"] == ADDRESS.job_server
    assert options["environment_config"] == ADDRESS.worker_pool
    assert options["extra_package"] == str(CODE)
    assert options["job_name"] == "air-quality"
    assert options_of(job, name="other")["job_name"] == "other"


def test_the_user_agent_describes_code_and_state(job: Job) -> None:
    class Flink:
        def get(self, path: str) -> Any:
            agent = options_of(job)["user_agent"]
            return {"execution-config": {"user-config": {"userAgent": agent}}}

    flink: Any = Flink()
    found = described(flink, "1")
    assert (found["code"], found["state"]) == ("0123456789abcdef", STATE)


def test_only_a_bounded_job_shuts_its_sources_down(job: Job) -> None:
    assert "shutdown_sources_after_idle_ms" not in options_of(job)
    assert options_of(job, live=False)["shutdown_sources_after_idle_ms"] == "0"


def test_only_a_restored_job_has_a_savepoint(job: Job) -> None:
    assert "savepoint_path" not in options_of(job)
    assert options_of(job, savepoint="/saved/1")["savepoint_path"] == "/saved/1"


def pipeline(*names: str) -> Any:
    made = beam.Pipeline()
    for name in names:
        _ = made | f"Start {name}" >> beam.Create([1]) | name >> beam.Map(str)
    return made.to_runner_api()


def test_a_step_added_upstream_changes_no_other_identity() -> None:
    before = with_stable_names(pipeline("Last"))
    after = with_stable_names(pipeline("New", "Last"))
    transforms = before.components.transforms
    assert set(transforms) < set(after.components.transforms)
    for proto in (before, after):
        known = proto.components.transforms
        assert set(proto.root_transform_ids) <= set(known)
        assert all(set(one.subtransforms) <= set(known) for one in known.values())
    unchanged = [name for name in transforms if "Last" in name]
    assert unchanged
    for name in unchanged:
        assert transforms[name].unique_name == after.components.transforms[name].unique_name


def test_two_transforms_with_one_name_are_refused() -> None:
    proto = pipeline("One")
    for transform in proto.components.transforms.values():
        transform.unique_name = "One"
    with pytest.raises(ValueError, match="two transforms have one name"):
        with_stable_names(proto)


class Result:
    """The job server's view of a job."""

    def __init__(self, state: str, error: Exception | None = None) -> None:
        self.state = state
        self.error = error

    def wait_until_finish(self, _milliseconds: int) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (RuntimeError("Traceback …\nFailure: [[no such topic 'a']]"), "no such topic 'a'"),
        (RuntimeError("no slots"), "no slots"),
        (None, "the job server gives no reason"),
    ],
)
def test_a_refusal_has_the_job_servers_reason(error: Exception | None, refusal: str) -> None:
    assert Submitted(Result(PipelineState.FAILED, error)).refusal() == refusal


def test_a_running_job_is_not_refused() -> None:
    assert Submitted(Result(PipelineState.RUNNING)).refusal() is None


def test_a_rehearsal_needs_a_job_server(job: Job) -> None:
    with pytest.raises(Failure, match=r"no answer from Beam's job server at 127\.0\.0\.1:1: .*up"):
        rehearse(job, ADDRESS)
