"""Runs a job on this machine: on the embedded engine, or on Beam where only Beam can run it."""

from __future__ import annotations

from typing import Any

from tocsin.compiler.job import Job
from tocsin.compiler.test_rows import TestResult
from tocsin.engines.embedded import job_tests
from tocsin.engines.embedded.assembly import why_only_beam
from tocsin.engines.embedded.running import run_bounded
from tocsin.foundation.ledger import Ledger


def needs_beam(job: Job) -> bool:
    """Whether a job has code of its own or a transform of Beam's."""
    return why_only_beam(job) is not None


def run_to_end(job: Job) -> Ledger:
    """Read the present content of the inputs to its end; return the ledger.

    Raises Failure with one sentence where the cause is outside the job, such as a broker or disk.
    """
    if not needs_beam(job):
        return run_bounded(job)
    from tocsin.engines.beam.running import quiet_beam
    from tocsin.engines.beam.running import run_bounded as run_on_beam

    quiet_beam()
    return run_on_beam(job)


def run_test(job: Job, test: dict[str, Any]) -> TestResult:
    """Run one test of a job file, as `embedded.job_tests.run_test`."""
    if not needs_beam(job):
        return job_tests.run_test(job, test)
    from tocsin.engines.beam.job_tests import run_test as run_on_beam
    from tocsin.engines.beam.running import quiet_beam

    quiet_beam()
    return run_on_beam(job, test)
