"""A run whose whole input was rejected or late fails, and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli import run_verb, submit_verb
from tocsin.cli.deployment import Deployment
from tocsin.cli.lost_input import lost_input
from tocsin.compiler.checker import check_file
from tocsin.compiler.job import Job
from tocsin.flink.rest import FlinkJob
from tocsin.foundation.ledger import Ledger, StepCount

JOB = """
pipeline:
  type: chain
  transforms:
    - type: ReadTelemetry
      name: Read
      config: {topic: t, schema: r.avsc, format: json, event_time: at}
    - {type: Filter, config: {keep: value > 0}}
    - {type: Aggregate, config: {every: 1 min, by: [sensor], measures: {mean: mean(value)}}}
    - {type: WriteToLake, config: {lake: "${LAKE}", dataset: air}}
"""
SCHEMA = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "sensor", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "value", "type": "double"},
    ],
}
MINUTE = 60_000
DAY = 1440 * MINUTE
T0 = 1_772_445_600_000


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_ALLOW_FOLDERS", str(tmp_path))
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TOCSIN_VARIABLES", "LAKE")
    (tmp_path / "r.avsc").write_text(json.dumps(SCHEMA))
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path / "job.yaml"


def reading(at: int, **more: Any) -> bytes:
    return json.dumps({"sensor": "a", "at": at, "value": 1.0, **more}).encode()


@pytest.mark.parametrize(
    ("messages", "code", "sentence"),
    [
        ([(reading(T0), None, T0)], 0, ""),
        ([(reading(T0 + DAY), None, T0)] * 3, 1, "max_future (5 min)"),
        ([(b"no reading", None, T0)] * 3, 1, "Read: all 3 rows were rejected"),
        ([(reading(T0, value=-1.0), None, T0)], 0, ""),
        ([], 0, "no step counted a row"),
    ],
    ids=["kept", "from the future", "unreadable", "filtered on purpose", "empty"],
)
def test_run_fails_where_the_whole_input_is_rejected(
    messages: list[Any], code: int, sentence: str, job: Path, kafka: Any, send: Any, tocsin: Any
) -> None:
    kafka.create("t")
    if messages:
        send("t", messages)
    found = tocsin("run", job, "--json")
    assert found[0] == code, found[2]
    assert sentence in found[2]
    assert json.loads(found[1])["balances"] is (True if messages else None)


@pytest.fixture
def checked(job: Path) -> Job:
    return check_file(str(job))[0]


def count(**fates: int) -> StepCount:
    return StepCount(read=sum(fates.values()), **fates)


def test_late_input_names_the_order_of_the_files(checked: Job) -> None:
    ledger = Ledger(
        {"Read": count(kept=9), "Filter": count(kept=7, filtered=2), "Aggregate": count(late=7)}
    )
    found = lost_input(checked, ledger)
    assert found is not None
    assert found.is_all
    assert found.sentence.startswith(
        "Aggregate: all 7 rows were late. Likely cause: the order of the readings"
    )


def test_readings_without_time_name_the_column_and_its_unit(checked: Job) -> None:
    ledger = Ledger({"Read": count(rejected=9)}, {"Read": {"no_event_time": 8}})
    found = lost_input(checked, ledger)
    assert found is not None
    assert "the name or the unit of 'at': 8 readings" in found.sentence
    assert "WriteRejects of 'Read.rejects'" in found.sentence


@pytest.mark.parametrize(
    "later",
    [count(kept=5, late=4), count(filtered=9), count(filtered=8, late=1), count(), count(late=1)],
)
def test_a_job_that_lost_a_few_rows_or_filtered_the_rest_is_good(
    later: StepCount, checked: Job
) -> None:
    assert lost_input(checked, Ledger({"Read": count(kept=9), "Aggregate": later})) is None


def test_a_job_that_lost_most_rows_is_done_with_a_warning(
    checked: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger({"Read": count(kept=9), "Aggregate": count(kept=2, late=7)})
    assert run_verb.verdict(checked, ledger) == 0
    assert "Aggregate: 7 of 9 rows were late. Likely cause: the order" in capsys.readouterr().err


class Cluster(Deployment):
    """A cluster on which a job has ended with a ledger, or whose wait is interrupted."""

    ledger: Ledger | None = None

    def ledger_at_end(self, job: FlinkJob) -> Ledger:
        if self.ledger is None:
            raise KeyboardInterrupt
        return self.ledger


@pytest.mark.parametrize(
    ("ledger", "code"),
    [
        (Ledger({"Read": count(kept=9)}), 0),
        (Ledger({"Read": count(rejected=9)}), 1),
        (Ledger({"Read": StepCount(read=9, kept=8)}), 1),
        (Ledger(), 0),
    ],
)
def test_a_bounded_submission_ends_with_the_ledger(
    ledger: Ledger, code: int, checked: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster()
    object.__setattr__(cluster, "ledger", ledger)
    flink = FlinkJob("1", "job", "RUNNING", 5)
    assert submit_verb._until_the_end(checked, flink, cluster, json=True) == code
    shown = json.loads(capsys.readouterr().out)
    assert shown["balances"] is ledger.balances
    assert shown["steps"]["Read"]["read"] == ledger.in_order(["Read"]).steps["Read"].read


def test_an_interrupted_wait_leaves_the_job_running(
    checked: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        submit_verb._until_the_end(checked, FlinkJob("1", "job", "RUNNING", 5), Cluster(), False)
    assert "`tocsin stop job --discard` ends it" in capsys.readouterr().err
