"""Waiting for a job ends with its first checkpoint, or with the cause of its failure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.flink import CUT_OFF, REASON, entry
from tocsin.flink import waiting
from tocsin.flink.failures import failures_in
from tocsin.flink.rest import FlinkJob
from tocsin.flink.waiting import wait_until_finished, wait_until_running
from tocsin.foundation.failure import Failure


class Flink:
    """A cluster with one job. Each poll takes the next of its (failures, completed checkpoints)."""

    def __init__(
        self, *polls: tuple[list[str], int], state: str = "RUNNING", started: int = 10
    ) -> None:
        self.polls = list(polls)
        self.cancelled = False
        self.found = FlinkJob("1", "job", state, started)

    def jobs(self) -> list[FlinkJob]:
        if len(self.polls) > 1:
            self.polls.pop(0)
        return [self.found]

    def failures(self, job: str) -> Any:
        return failures_in([entry(text) for text in self.polls[0][0]])

    def completed_checkpoints(self, job: str) -> int:
        return self.polls[0][1]

    def get(self, path: str) -> Any:
        return {"status-counts": {"RUNNING": 3, "FAILED": 0}}

    def cancel(self, job: str) -> None:
        self.cancelled = True


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_INTERVAL", 0.001)


def wait(
    flink: Any, patience: float = 5.0, *, refused: str | None = None, live: bool = True
) -> FlinkJob:
    return wait_until_running(flink, "job", 5, lambda: refused, patience, live)


def test_a_job_whose_worker_was_cut_off_may_recover() -> None:
    flink = Flink(([], 0), ([], 0), ([CUT_OFF], 0), ([CUT_OFF], 0), ([CUT_OFF], 1))
    assert wait(flink).name == "job"
    assert not flink.cancelled


def test_a_job_whose_worker_was_cut_off_is_cancelled_once_the_cause_is_known() -> None:
    flink = Flink(([], 0), ([CUT_OFF], 0), ([REASON, CUT_OFF], 0))
    with pytest.raises(Failure, match="Group authorization failed"):
        wait(flink)
    assert flink.cancelled


def test_a_job_without_a_checkpoint_ends_with_the_last_failure() -> None:
    flink = Flink(([CUT_OFF], 0))
    with pytest.raises(
        Failure,
        match=r"within 0 s \(3 tasks running\); the job was cancelled; a worker was cut off",
    ):
        wait(flink, 0.05)
    assert flink.cancelled


def test_an_older_job_of_the_same_name_is_ignored() -> None:
    flink = Flink(([], 1), started=4)
    with pytest.raises(Failure, match="the job did not reach the cluster within 0 s"):
        wait(flink, 0.05)
    assert not flink.cancelled


def test_a_refused_job_ends_with_the_job_servers_reason() -> None:
    with pytest.raises(Failure, match="the cluster refused the job: no such runner"):
        wait(Flink(([], 0), started=4), refused="no such runner")


def test_a_bounded_job_may_finish_before_its_first_checkpoint() -> None:
    assert wait(Flink(([], 0), state="FINISHED"), live=False).state == "FINISHED"
    with pytest.raises(Failure, match=r"the job failed as it started, .*: it is FINISHED"):
        wait(Flink(([], 0), state="FINISHED"))


@pytest.mark.parametrize(
    ("states", "expected"),
    [(["RUNNING", "RESTARTING", "FINISHED"], None), (["FAILED"], "the job ended failed: cannot")],
)
def test_the_end_of_a_job_is_awaited_over_restarts(states: list[str], expected: str | None) -> None:
    class Ending(Flink):
        def job(self, name: str) -> FlinkJob:
            return FlinkJob("1", "job", states.pop(0), 10)

    flink: Any = Ending(([REASON], 0))
    if expected is None:
        assert wait_until_finished(flink, flink.found).state == "FINISHED"
    else:
        with pytest.raises(Failure, match=expected):
            wait_until_finished(flink, flink.found)
