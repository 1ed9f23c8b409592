"""Options and actions that all verbs for a Flink cluster share."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from tocsin.cli.checking import check_job
from tocsin.cli.console import complain, note
from tocsin.compiler.job import Job
from tocsin.compiler.state_compatibility import state_of
from tocsin.flink.endpoints import Address
from tocsin.flink.job_metadata import flink_name
from tocsin.flink.job_status import status_of
from tocsin.flink.rest import FlinkJob, FlinkRest
from tocsin.flink.waiting import wait_until_finished, wait_until_running
from tocsin.foundation.failure import Failure
from tocsin.foundation.ledger import Ledger
from tocsin.foundation.sandbox import BROKERS_VARIABLE


@Parameter(name="*")
@dataclass(frozen=True)
class Deployment:
    """How a job runs on a cluster.

    Parameters
    ----------
    parallelism
        Subtasks of each step. By default the job's option `parallelism`, else 1.
    workers
        Python processes of each TaskManager. By default one for each subtask.
    checkpoint_interval
        Milliseconds between checkpoints; adds to the latency.
    bundle_time
        Milliseconds after which a step passes on its results; adds to the latency.
    checkpoint_timeout
        Seconds after which a checkpoint fails and the job restarts; detects a job that hangs.
    patience
        Seconds to wait for the first checkpoint.
    brokers
        Kafka brokers for steps that name no brokers [env: TOCSIN_BROKERS].
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    job_server
        host:port of Beam's job server [env: TOCSIN_JOB_SERVER].
    worker_pool
        host:port at which a TaskManager reaches the worker pool [env: TOCSIN_WORKER_POOL].
    trusted
        Allow the job to bring code. Only for jobs that you wrote or read.
    """

    parallelism: int | None = None
    workers: int | None = None
    checkpoint_interval: int = 1000
    bundle_time: int = 100
    checkpoint_timeout: int = 60
    patience: float = 120
    brokers: str | None = None
    flink: str | None = None
    job_server: str | None = None
    worker_pool: str | None = None
    trusted: bool = False

    @property
    def address(self) -> Address:
        """Addresses of the cluster."""
        return Address.found(self.flink, self.job_server, self.worker_pool)

    def checked(self, file: Path) -> Job:
        """Check the job and print its warnings. Raises JobError."""
        if self.brokers:
            os.environ[BROKERS_VARIABLE] = self.brokers
        job, warnings = check_job(str(file), trusted=self.trusted)
        for warning in warnings:
            complain(str(warning), plain=True)
        return job

    def rehearse(self, job: Job) -> None:
        """Find failures of a submission before it starts. Raises Failure."""
        from tocsin.engines.beam.running import quiet_beam
        from tocsin.engines.beam.submission import rehearse

        quiet_beam()
        rehearse(job, self.address)

    def start(self, job: Job, *, live: bool = True, savepoint: str | None = None) -> FlinkJob:
        """Submit a job and wait for its first checkpoint. Raises Failure."""
        return self._start(job, job.name, live=live, savepoint=savepoint)

    def finish(self, job: Job, name: str) -> Ledger:
        """Run a job under another name to the present end of its inputs; return its ledger.

        Raises Failure. An interrupt cancels the job.
        """
        rest, name = FlinkRest(self.address.flink), flink_name(name)
        if rest.running(name) is not None:
            raise Failure(f"'{name}' runs already; `tocsin stop {name} --discard` ends it")
        try:
            return self.ledger_at_end(self._start(job, name, live=False, savepoint=None))
        except KeyboardInterrupt:
            running = rest.running(name)
            if running is not None:
                rest.cancel(running.id)
            raise

    def ledger_at_end(self, job: FlinkJob) -> Ledger:
        """Wait until a job has finished; return its ledger. Raises Failure where it fails."""
        rest = FlinkRest(self.address.flink)
        return status_of(rest, wait_until_finished(rest, job)).ledger

    def _start(self, job: Job, name: str, *, live: bool, savepoint: str | None) -> FlinkJob:
        from tocsin.engines.beam.submission import Settings, submit_job

        rest = FlinkRest(self.address.flink)
        name = flink_name(name)
        # By the cluster's clock, not this machine's: after its newest job.
        since = max((known.started for known in rest.jobs()), default=-1) + 1
        settings = Settings(
            parallelism=self.parallelism or int(job.options.get("parallelism", 1)),
            workers=self.workers,
            live=live,
            checkpoint_interval=self.checkpoint_interval,
            bundle_time=self.bundle_time,
            checkpoint_timeout=self.checkpoint_timeout * 1000,
            savepoint=savepoint,
            name=name,
        )
        submitted = submit_job(job, self.address, settings, state_of(job))
        note(f"{name}: submitted to {self.address.flink}")
        return wait_until_running(rest, name, since, submitted.refusal, self.patience, live)


def flink_rest(flink: str | None) -> FlinkRest:
    """The REST interface of the JobManager at the option, the environment or the default."""
    return FlinkRest(Address.found(flink).flink)


def flink_job_name(job: str) -> str:
    """A job's name on the cluster, from its file or any of its names; an id stays as it is."""
    if re.fullmatch(r"[0-9a-f]{32}", job):
        return job
    return flink_name(job_name(job))


def job_name(job: str) -> str:
    """A job's name, from its file or its name."""
    return Path(job).stem if job.endswith((".yaml", ".yml")) else job
