"""`tocsin upgrade`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.cluster import rehearsed, set_brokers, start
from tocsin.cli.console import DONE, WRONG, complain, note, say
from tocsin.flink.address import Address
from tocsin.flink.identity import described, flink_name
from tocsin.flink.rest import FlinkRest
from tocsin.parts.failure import Failure
from tocsin.spec.check import check_file
from tocsin.spec.state import changes, state_of


def upgrade(
    job: Path,
    *,
    parallelism: int | None = None,
    workers: int | None = None,
    to: str | None = None,
    checkpoint_interval: int = 1000,
    patience: float = 120,
    brokers: str | None = None,
    flink: str | None = None,
    job_server: str | None = None,
    worker_pool: str | None = None,
    trusted: bool = False,
) -> int:
    """Replace a running job by a new version of it: savepoint, stop, start from the savepoint.

    A change that would lose state is refused before anything is stopped; `tocsin plan --diff` shows it. If the new version
    does not start, the old savepoint's path is printed.

    Parameters
    ----------
    job
        Job file, as it is now.
    parallelism
        Subtasks of each step; by default the job's `options`, else 1.
    workers
        Python processes of a TaskManager; by default one a subtask.
    to
        Folder for the savepoint; by default the cluster's.
    checkpoint_interval
        Milliseconds between checkpoints.
    patience
        Seconds to wait for the first checkpoint.
    brokers
        Kafka brokers for steps that name none [env: TOCSIN_BROKERS].
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    job_server
        host:port of Beam's job server [env: TOCSIN_JOB_SERVER].
    worker_pool
        host:port of the worker pool, as a TaskManager sees it [env: TOCSIN_WORKER_POOL].
    trusted
        Allow the job to bring code.
    """
    set_brokers(brokers)
    checked, warnings = check_file(str(job), trusted=trusted)
    for warning in warnings:
        complain(str(warning), plain=True)
    address = Address.found(flink, job_server, worker_pool)
    rest = FlinkRest(address.flink)
    name = flink_name(checked.name)
    running = rest.running(name)
    if running is None:
        complain(f"'{name}' does not run on {address.flink}; `tocsin submit {job}` starts it")
        return WRONG
    found = changes(described(rest, running.id)["state"], state_of(checked))
    losses = [change for change in found if change.loses]
    for change in found:
        complain(f"{job}: step '{change.step}' {change.sentence}", plain=True)
    if losses:
        complain("not upgraded: the running job goes on; a new job with another name starts afresh")
        return WRONG
    rehearsed(checked, address)
    savepoint = rest.save(running.id, to, stop=True)
    note(f"{name}: stopped with the savepoint {savepoint}")
    try:
        started = start(
            checked, address, parallelism=parallelism or int(checked.options.get("parallelism", 1)), workers=workers,
            live=True, interval=checkpoint_interval, savepoint=savepoint, patience=patience,
        )  # fmt: skip
    except Failure as failure:
        raise Failure(
            f"{failure.sentence}; the state is safe in {savepoint}: `tocsin submit … --from-savepoint` goes on from it"
        ) from None
    say(f"{name}: {started.state.lower()}, {started.id}, from {savepoint}")
    return DONE
