"""What the verbs for a Flink cluster share: where it is, and which job is meant."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.cli.console import note
from tocsin.flink.address import Address
from tocsin.flink.rest import FlinkJob, FlinkRest
from tocsin.flink.starting import wait_until_well
from tocsin.parts.connection import BROKERS_VARIABLE
from tocsin.spec.job import Job
from tocsin.spec.state import state_of


def rest_of(flink: str | None) -> FlinkRest:
    """The REST interface."""
    return FlinkRest(Address.found(flink).flink)


def name_of(job: str) -> str:
    """A job's name on the cluster, from its file or name."""
    from tocsin.flink.identity import flink_name

    return flink_name(Path(job).stem) if job.endswith((".yaml", ".yml")) else job


def start(
    job: Job, address: Address, *, parallelism: int, workers: int | None, live: bool, interval: int, savepoint: str | None,
    patience: float,
) -> FlinkJob:  # fmt: skip
    """Submit a job and wait until it is well."""
    from tocsin.beam.running import quiet_beam
    from tocsin.beam.submitting import Settings, submit_job
    from tocsin.flink.identity import flink_name

    quiet_beam()
    rest = FlinkRest(address.flink)
    name = flink_name(job.name)
    # The cluster's clock, not this machine's: the newest job that is known now.
    since = max((known.started for known in rest.jobs()), default=-1) + 1
    settings = Settings(parallelism, workers, live, interval, savepoint)
    submitted = submit_job(job, address, settings, state_of(job))
    note(f"{name}: submitted to {address.flink}")
    return wait_until_well(rest, name, since, submitted.refusal, patience, live)


def rehearsed(job: Job, address: Address) -> None:
    """Find now what would keep the job from being submitted."""
    from tocsin.beam.running import quiet_beam
    from tocsin.beam.submitting import rehearse

    quiet_beam()
    rehearse(job, address)


def set_brokers(brokers: str | None) -> None:
    """Brokers for steps that name none."""
    if brokers:
        os.environ[BROKERS_VARIABLE] = brokers
