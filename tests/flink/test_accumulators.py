"""The counters of an ended job come from its accumulators, in Beam's encoding."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from apache_beam.coders import VarIntCoder
from hypothesis import given
from hypothesis import strategies as st

from tocsin.flink import job_status
from tocsin.flink.accumulators import COUNTER, GAUGE, accumulated
from tocsin.flink.job_status import SplitStatus, status_of
from tocsin.flink.rest import FlinkJob
from tocsin.foundation.ledger import StepCount

JOB = FlinkJob("1", "air", "FINISHED", 10)


def info(name: str, *numbers: int, urn: str = COUNTER, namespace: str = "tocsin") -> dict[str, Any]:
    """A monitoring info whose payload Beam's own coder wrote."""
    payload = b"".join(VarIntCoder().encode(number) for number in numbers)
    return {
        "urn": urn,
        "payload": b64encode(payload).decode(),
        "labels": {"NAMESPACE": namespace, "PTRANSFORM": "x", "NAME": name},
    }


def accumulator(*infos: dict[str, Any]) -> list[dict[str, Any]]:
    value = json.dumps({"metrics": {"attempted": list(infos)}})
    return [{"name": "__metricscontainers", "type": "MetricsAccumulator", "value": value}]


class Flink:
    """A cluster that remembers one finished job. old_answers: those that show it running."""

    def __init__(self, accumulators: list[dict[str, Any]], old_answers: int = 0) -> None:
        self.accumulators = accumulators
        self.answers, self.old_answers = 0, old_answers

    def get(self, path: str, **_: str) -> Any:
        if path == "/jobs/1/accumulators":
            found = self.accumulators if self.answers >= self.old_answers else []
            return {"job-accumulators": [], "user-task-accumulators": found}
        assert path == "/jobs/1", "Flink drops the metrics of an ended job"
        self.answers += 1
        state = "RUNNING" if self.answers < self.old_answers else "FINISHED"
        return {"state": state, "duration": 26_000, "vertices": [{"id": "a"}]}

    def metrics(self, path: str, names: list[str]) -> dict[str, str]:
        return {}

    def checkpoints(self, job: str) -> dict[str, Any]:
        return {"counts": {"completed": 7, "failed": 4}}

    def failures(self, job: str) -> Any:
        return []


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9))
def test_every_integer_of_64_bits_is_read_as_beam_wrote_it(values: list[int]) -> None:
    flink: Any = Flink(accumulator(*(info(f"S|{at}", one) for at, one in enumerate(values))))
    assert list(accumulated(flink, "1")) == [(f"S|{at}", one) for at, one in enumerate(values)]


def test_a_finished_job_has_the_ledger_of_its_accumulators() -> None:
    now = 1_795_814_999_848
    flink: Any = Flink(
        accumulator(
            info("Read|read", 300),
            info("Read|kept", 290),
            info("Read|rejected", 10),
            info("Read|from_the_future", 7),
            info("Windows|read", 200),
            info("Windows|read", 90),
            info("Windows|kept", 290),
            info("Windows|busy", 2**40),
            info("Read|1|position", now, 300, urn=GAUGE),
            info("Read|1|lag", now, 0, urn=GAUGE),
            info("read", 5, namespace="another"),
            {"urn": "beam:metric:element_count:v1", "payload": "DA==", "labels": {}},
        )
    )
    found = status_of(flink, JOB)
    assert found.ledger.steps == {
        "Read": StepCount(read=300, kept=290, rejected=10),
        "Windows": StepCount(read=290, kept=290),
    }
    assert found.ledger.reasons == {"Read": {"from_the_future": 7}}
    assert found.splits == [SplitStatus("Read", 1, position=300, lag=0)]
    assert found.as_dict()["balances"] is True


def test_answers_from_before_the_end_are_not_taken_for_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_status, "FRESH", 0)
    flink: Any = Flink(accumulator(info("Read|read", 3), info("Read|kept", 3)), old_answers=4)
    assert status_of(flink, JOB).as_dict()["balances"] is True


def test_a_finished_job_without_counts_does_not_balance() -> None:
    broken = {"name": "__metricscontainers", "value": "java.lang.RuntimeException: lost"}
    other = {"name": "rows", "value": "12"}
    for accumulators in ([], [broken], [other], accumulator(), accumulator(info("Read|read", 0))):
        flink: Any = Flink(accumulators)
        found = status_of(flink, JOB).as_dict()
        assert found["balances"] is None, accumulators
