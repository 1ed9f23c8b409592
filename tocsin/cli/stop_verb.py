"""`tocsin stop`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, WRONG, complain, note, say
from tocsin.cli.deployment import flink_job_name, flink_rest, job_name
from tocsin.engines.embedded.other_process import stop as stop_process


def stop(
    job: str,
    *,
    to: str | None = None,
    discard: bool = False,
    checkpoint: Path | None = None,
    flink: str | None = None,
) -> int:
    """Stop a job with a savepoint, from which it can continue.

    Parameters
    ----------
    job
        Name, id or file of the job.
    to
        Folder for the savepoint. By default the cluster's.
    discard
        Stop without a savepoint: the job loses its state.
    checkpoint
        Stop instead the live job of this machine that has its checkpoints in this folder. It ends
        with a checkpoint.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    """
    if checkpoint is not None:
        if stop_process(checkpoint, job_name(job)):
            note(f"{job}: stopped; `tocsin run … --live --checkpoint {checkpoint}` continues")
            return DONE
        complain(f"no process uses {checkpoint}")
        return WRONG
    rest = flink_rest(flink)
    found = rest.job(flink_job_name(job))
    if found.has_ended:
        complain(f"'{found.name}' ({found.id}) has ended: {found.state.lower()}")
        return WRONG
    if discard:
        rest.cancel(found.id)
        say(f"{found.name}: cancelled")
        return DONE
    path = rest.save(found.id, to, stop=True)
    say(path)
    note(f"{found.name}: stopped; continue with `tocsin submit … --from-savepoint {path}`")
    return DONE
