"""`tocsin savepoint`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, WRONG, complain, say
from tocsin.cli.deployment import flink_job_name, flink_rest, job_name
from tocsin.engines.embedded.other_process import save


def savepoint(
    job: str, *, to: str | None = None, checkpoint: Path | None = None, flink: str | None = None
) -> int:
    """Take a savepoint of a running job and print its path.

    Parameters
    ----------
    job
        Name, id or file of the job.
    to
        Folder for the savepoint. By default the cluster's.
    checkpoint
        Copy instead the last checkpoint of the live job of this machine that has its checkpoints
        in this folder. Needs --to.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    """
    if checkpoint is not None:
        if to is None:
            complain("a copy of a checkpoint needs a folder: --to FOLDER")
            return WRONG
        save(checkpoint, Path(to), job_name(job))
        say(to)
        return DONE
    rest = flink_rest(flink)
    found = rest.job(flink_job_name(job))
    if found.has_ended:
        complain(f"'{found.name}' ({found.id}) has ended: {found.state.lower()}")
        return WRONG
    say(rest.save(found.id, to, stop=False))
    return DONE
