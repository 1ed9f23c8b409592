"""Waiting for a job to be well: running, with a first checkpoint behind it; or saying why it is not."""

from __future__ import annotations

import time
from collections.abc import Callable

from tocsin.flink.failures import brief, reason_of
from tocsin.flink.rest import FlinkJob, FlinkRest
from tocsin.foundation.failure import Failure

LOOK = 0.3


def wait_until_well(
    rest: FlinkRest,
    name: str,
    since: int,
    refusal: Callable[[], str | None],
    patience: float,
    live: bool = True,
) -> FlinkJob:
    """The job when it runs and has taken its first checkpoint, or has finished where it has an end.

    since: milliseconds; older jobs of that name are not it. A job that fails before is cancelled. Raises Failure with the
    cluster's own reason.
    """
    deadline = time.monotonic() + patience
    job: FlinkJob | None = None
    said: str | None = None
    while time.monotonic() < deadline:
        time.sleep(LOOK)
        job = next((job for job in rest.jobs() if job.name == name and job.started >= since), None)
        if job is None:
            said = refusal()
            if said is not None:
                raise Failure(f"the cluster refused the job: {brief(said)}")
            continue
        if job.state == "FINISHED" and not live:
            return job
        failures = rest.failures(job.id)
        # A worker that was only cut off is started again, and either does its work or says what is wrong.
        if job.has_ended or any(failure.tells for failure in failures):
            reason = reason_of(failures) or f"it is {job.state}"
            if not job.has_ended:
                rest.cancel(job.id)
            raise Failure(f"the job failed as it started, and was cancelled: {reason}")
        if job.state == "RUNNING" and rest.completed_checkpoints(job.id) > 0:
            return job
    if job is None:
        raise Failure(
            f"the job did not reach the cluster within {patience:.0f} s; look at the job server's log"
        )
    tasks = _tasks(rest, job)
    hint = reason_of(rest.failures(job.id)) or "are there enough task slots?"
    rest.cancel(job.id)
    raise Failure(f"no checkpoint within {patience:.0f} s ({tasks}); the job was cancelled; {hint}")


def wait_until_finished(rest: FlinkRest, job: FlinkJob) -> FlinkJob:
    """The job when it has come to its end. It may restart on the way. Raises Failure where it ends otherwise."""
    while not job.has_ended:
        time.sleep(LOOK)
        job = rest.job(job.id)
    if job.state != "FINISHED":
        reason = reason_of(rest.failures(job.id))
        raise Failure(f"the job ended {job.state.lower()}" + (f": {reason}" if reason else ""))
    return job


def _tasks(rest: FlinkRest, job: FlinkJob) -> str:
    counts = rest.get(f"/jobs/{job.id}")["status-counts"]
    return (
        ", ".join(f"{number} tasks {state.lower()}" for state, number in counts.items() if number)
        or "no tasks"
    )
