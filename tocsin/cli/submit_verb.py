"""`tocsin submit`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.cluster import rehearsed, set_brokers, start
from tocsin.cli.console import DONE, WRONG, complain, note, say, show_json
from tocsin.flink.address import Address
from tocsin.flink.identity import flink_name
from tocsin.flink.rest import FlinkRest
from tocsin.spec.check import check_file


def submit(
    job: Path,
    *,
    parallelism: int | None = None,
    workers: int | None = None,
    bounded: bool = False,
    from_savepoint: str | None = None,
    checkpoint_interval: int = 1000,
    patience: float = 120,
    brokers: str | None = None,
    flink: str | None = None,
    job_server: str | None = None,
    worker_pool: str | None = None,
    trusted: bool = False,
    json: bool = False,
) -> int:
    """Submit a job to a Flink cluster; returns when it runs and has taken its first checkpoint.

    Parameters
    ----------
    job
        Job file.
    parallelism
        Subtasks of each step; by default the job's `options`, else 1.
    workers
        Python processes of a TaskManager; by default one a subtask.
    bounded
        Read to the end of what is in the topics now, and finish.
    from_savepoint
        Savepoint or retained checkpoint to start from.
    checkpoint_interval
        Milliseconds between checkpoints, which is also part of the latency.
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
    json
        Print the job's id as JSON.
    """
    set_brokers(brokers)
    checked, warnings = check_file(str(job), trusted=trusted)
    for warning in warnings:
        complain(str(warning), plain=True)
    address = Address.found(flink, job_server, worker_pool)
    name = flink_name(checked.name)
    running = FlinkRest(address.flink).running(name)
    if running is not None:
        complain(f"'{name}' runs already ({running.id}); `tocsin upgrade {job}` replaces it and keeps its state")
        return WRONG
    rehearsed(checked, address)
    found = start(
        checked, address, parallelism=parallelism or int(checked.options.get("parallelism", 1)), workers=workers,
        live=not bounded, interval=checkpoint_interval, savepoint=from_savepoint, patience=patience,
    )  # fmt: skip
    if json:
        show_json({"job": name, "id": found.id, "state": found.state, "flink": address.flink})
    else:
        say(f"{name}: {found.state.lower()}, {found.id}")
        note(f"`tocsin status {name}` tells how it is, {address.flink} shows it")
    return DONE
