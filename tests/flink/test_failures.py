"""Of failures that came together, the one that is the reason is told; waiting for a job does not end with one that says nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.flink import waiting
from tocsin.flink.failures import failures_in, reason_of
from tocsin.flink.rest import FlinkJob
from tocsin.flink.waiting import wait_until_well
from tocsin.foundation.failure import Failure

CUT_OFF = (
    "org.apache.flink.runtime.taskmanager.AsynchronousException: Caught exception while processing timer.\n"
    "\tat org.apache.flink.streaming.runtime.tasks.StreamTask.handleAsyncException(StreamTask.java:1600)\n"
    "Caused by: org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: CANCELLED: client cancelled\n"
    "\tat org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Status.asRuntimeException(Status.java:524)\n"
)
REASON = (
    "java.lang.RuntimeException: Error received from SDK harness for instruction 7: Traceback (most recent call last):\n"
    '  File "/somewhere/transactions.py", line 90, in write\n'
    "tocsin.foundation.failure.Failure: [[cannot write to the topic 'alarms': Group authorization failed.]]\n"
)
PYTHON = "java.lang.RuntimeException: x\nCaused by: java.lang.RuntimeException: Traceback:\nValueError: no such value\n"


def entry(text: str, *beside: str, at: int = 5) -> dict[str, Any]:
    found: dict[str, Any] = {"timestamp": at, "stacktrace": text}
    return {
        **found,
        "concurrentExceptions": [{"timestamp": at + 1, "stacktrace": other} for other in beside],
    }


def test_of_failures_that_came_together_the_reason_is_told() -> None:
    found = failures_in(
        [entry(CUT_OFF, CUT_OFF, REASON, at=9), entry(PYTHON, REASON), entry(CUT_OFF, at=1)]
    )
    assert [failure.moment for failure in found] == [10, 5, 1]
    assert [failure.tells for failure in found] == [True, True, False]
    assert found[0].sentence == "cannot write to the topic 'alarms': Group authorization failed."
    assert found[1].sentence == "ValueError: no such value"
    assert (
        found[2].sentence
        == "a worker was cut off (CANCELLED: client cancelled): another failure or the worker's log says why"
    )


def test_an_older_flink_tells_of_none_beside() -> None:
    assert [failure.tells for failure in failures_in([{"timestamp": 1, "stacktrace": REASON}])] == [
        True
    ]


def test_the_reason_of_several_is_one_that_tells() -> None:
    assert (
        reason_of(failures_in([entry(CUT_OFF), entry(REASON)]))
        == "cannot write to the topic 'alarms': Group authorization failed."
    )
    assert (reason_of(failures_in([entry(CUT_OFF)])) or "").startswith("a worker was cut off")
    assert reason_of([]) is None


@pytest.mark.parametrize(
    "said",
    [
        "no reason with CANCELLED in it",
        "UNAVAILABLE of the job's own",
        "[[StatusRuntimeException: CANCELLED]]",
    ],
)
def test_words_alone_do_not_make_it_a_cut(said: str) -> None:
    assert failures_in([entry(said)])[0].tells


class Flink:
    """A cluster whose answers to each look at the job are given: (failures, completed checkpoints)."""

    def __init__(self, *looks: tuple[list[str], int]) -> None:
        self.looks = list(looks)
        self.cancelled = False

    def jobs(self) -> list[FlinkJob]:
        if len(self.looks) > 1:
            self.looks.pop(0)
        return [FlinkJob("1", "job", "RUNNING", 10)]

    def failures(self, job: str) -> Any:
        return failures_in([entry(text) for text in self.looks[0][0]])

    def completed_checkpoints(self, job: str) -> int:
        return self.looks[0][1]

    def get(self, path: str) -> Any:
        return {"status-counts": {"RUNNING": 3, "FAILED": 0}}

    def cancel(self, job: str) -> None:
        self.cancelled = True


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK", 0.001)


def well(flink: Any, patience: float = 5.0) -> FlinkJob:
    return wait_until_well(flink, "job", 0, lambda: None, patience)


def test_a_job_whose_worker_was_cut_off_may_recover() -> None:
    flink = Flink(([], 0), ([], 0), ([CUT_OFF], 0), ([CUT_OFF], 0), ([CUT_OFF], 1))
    assert well(flink).name == "job"
    assert not flink.cancelled


def test_a_job_whose_worker_was_cut_off_is_awaited_until_it_says_why() -> None:
    flink = Flink(([], 0), ([CUT_OFF], 0), ([REASON, CUT_OFF], 0))
    with pytest.raises(Failure, match="Group authorization failed"):
        well(flink)
    assert flink.cancelled


def test_one_that_never_says_why_ends_with_what_there_is() -> None:
    flink = Flink(([CUT_OFF], 0))
    with pytest.raises(
        Failure,
        match=r"within 0 s \(3 tasks running\); the job was cancelled; a worker was cut off",
    ):
        well(flink, 0.05)
    assert flink.cancelled
