"""Targets of a job's sinks, looked at before the job runs."""

from __future__ import annotations

from tocsin.compiler.job import Job
from tocsin.compiler.lower import sinks


def check_targets(job: Job, *, live: bool = False) -> None:
    """Raise Failure where a sink's target cannot be written.

    live: whether the job will run without an end.
    """
    for name, sink in sinks(job):
        sink.set_step_name(f"{job.name}/{name}")
        sink.set_run("" if live else "check")
        sink.check_target()
