"""`tocsin submit`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, WRONG, complain, note, say, show_json
from tocsin.cli.deployment import Deployment
from tocsin.cli.ledger_table import ledger_table
from tocsin.cli.run_verb import verdict
from tocsin.compiler.job import Job
from tocsin.flink.job_metadata import flink_name
from tocsin.flink.rest import FlinkJob, FlinkRest


def submit(
    job: Path,
    *,
    bounded: bool = False,
    from_savepoint: str | None = None,
    json: bool = False,
    on: Deployment | None = None,
) -> int:
    """Submit a job to a Flink cluster and wait until it has taken its first checkpoint.

    With --bounded, wait until the job has finished, and print its ledger. An interrupt ends only
    the wait.

    Parameters
    ----------
    job
        Job file.
    bounded
        Read the topics to their present end, and finish.
    from_savepoint
        Savepoint or retained checkpoint to start from.
    json
        Print the job's id, and with --bounded its ledger, as JSON.
    """
    on = on or Deployment()
    checked = on.checked(job)
    name = flink_name(checked.name)
    running = FlinkRest(on.address.flink).running(name)
    if running is not None:
        complain(
            f"'{name}' runs already ({running.id}); "
            f"`tocsin upgrade {job}` replaces it and keeps its state"
        )
        return WRONG
    on.rehearse(checked)
    found = on.start(checked, live=not bounded, savepoint=from_savepoint)
    if bounded:
        return _until_the_end(checked, found, on, json)
    if json:
        show_json({"job": name, "id": found.id, "state": found.state, "flink": on.address.flink})
    else:
        say(f"{name}: {found.state.lower()}, {found.id}")
        note(f"see `tocsin status {name}`, or {on.address.flink} in a browser")
    return DONE


def _until_the_end(job: Job, found: FlinkJob, on: Deployment, json: bool) -> int:
    """Wait for a bounded job, print its ledger, and return the exit code."""
    note(f"{found.name}: {found.id} reads to the end of its inputs")
    try:
        ledger = on.ledger_at_end(found).in_order(job.counted())
    except KeyboardInterrupt:
        note(
            f"{found.name} may still run on the cluster; `tocsin status {found.name}` shows it, "
            f"`tocsin stop {found.name} --discard` ends it"
        )
        raise
    if json:
        shown = {"job": found.name, "id": found.id, "state": "FINISHED", "flink": on.address.flink}
        show_json({**shown, "balances": ledger.balances, "steps": ledger.as_dict()})
    else:
        say(f"{found.name}: finished, {found.id}")
        say(ledger_table(ledger))
    return verdict(job, ledger)
