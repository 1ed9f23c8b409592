"""Waits until a job runs and has completed a checkpoint, or reports why it does not."""

from __future__ import annotations

import time
from collections.abc import Callable

from tocsin.flink.failures import NO_SLOTS, brief, reason_of
from tocsin.flink.rest import FlinkJob, FlinkRest
from tocsin.foundation.failure import Failure

# Seconds between two requests.
POLL_INTERVAL = 0.3


def wait_until_running(
    rest: FlinkRest,
    name: str,
    since: int,
    refusal: Callable[[], str | None],
    patience: float,
    live: bool = True,
) -> FlinkJob:
    """The job, once it runs and has completed a checkpoint, or has finished if it is not live.

    A job that fails before is cancelled.

    Args:
        rest: the cluster.
        name: the job's name on the cluster.
        since: milliseconds since 1970; jobs that started before are ignored.
        refusal: gives the job server's reason if it refused the job, else None.
        patience: seconds to wait.
        live: whether the job has no end.

    Raises:
        Failure: the job failed, was refused, or has no checkpoint in time; with the cause.
    """
    deadline = time.monotonic() + patience
    job: FlinkJob | None = None
    while time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
        job = next((job for job in rest.jobs() if job.name == name and job.started >= since), None)
        if job is None:
            refused = refusal()
            if refused is not None:
                raise Failure(f"the cluster refused the job: {brief(refused)}")
            continue
        if job.state == "FINISHED" and not live:
            return job
        _end_if_failed(rest, job)
        if job.state == "RUNNING" and rest.completed_checkpoints(job.id) > 0:
            return job
    if job is None:
        raise Failure(
            f"the job did not reach the cluster within {patience:.0f} s; "
            "look at the job server's log"
        )
    tasks = _tasks(rest, job)
    hint = reason_of(rest.failures(job.id)) or NO_SLOTS
    rest.cancel(job.id)
    raise Failure(f"no checkpoint within {patience:.0f} s ({tasks}); the job was cancelled; {hint}")


def _end_if_failed(rest: FlinkRest, job: FlinkJob) -> None:
    """Cancel a job that has a cause to fail, and raise Failure with it."""
    failures = rest.failures(job.id)
    # A worker that only lost its connection is restarted. It then works, or reports the cause.
    if job.has_ended or any(failure.is_cause for failure in failures):
        reason = reason_of(failures) or f"it is {job.state}"
        if not job.has_ended:
            rest.cancel(job.id)
        raise Failure(f"the job failed as it started, and was cancelled: {reason}")


def wait_until_finished(rest: FlinkRest, job: FlinkJob) -> FlinkJob:
    """The job, once it has finished, perhaps after restarts.

    Raises Failure with the cause where it fails or is cancelled.
    """
    while not job.has_ended:
        time.sleep(POLL_INTERVAL)
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
