"""`tocsin submit`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, WRONG, complain, note, say, show_json
from tocsin.cli.deployment import Deployment
from tocsin.flink.job_metadata import flink_name
from tocsin.flink.rest import FlinkRest


def submit(
    job: Path,
    *,
    bounded: bool = False,
    from_savepoint: str | None = None,
    json: bool = False,
    on: Deployment | None = None,
) -> int:
    """Submit a job to a Flink cluster and wait until it has taken its first checkpoint.

    Parameters
    ----------
    job
        Job file.
    bounded
        Read the topics to their present end, and finish.
    from_savepoint
        Savepoint or retained checkpoint to start from.
    json
        Print the job's id as JSON.
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
    if json:
        show_json({"job": name, "id": found.id, "state": found.state, "flink": on.address.flink})
    else:
        say(f"{name}: {found.state.lower()}, {found.id}")
        note(f"see `tocsin status {name}`, or {on.address.flink} in a browser")
    return DONE
