"""`tocsin savepoint`."""

from __future__ import annotations

from tocsin.cli.console import DONE, WRONG, complain, say
from tocsin.cli.deployment import flink_job_name, flink_rest


def savepoint(job: str, *, to: str | None = None, flink: str | None = None) -> int:
    """Take a savepoint of a running job and print its path.

    Parameters
    ----------
    job
        Name, id or file of the job.
    to
        Folder for the savepoint. By default the cluster's.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    """
    rest = flink_rest(flink)
    found = rest.job(flink_job_name(job))
    if found.has_ended:
        complain(f"'{found.name}' ({found.id}) has ended: {found.state.lower()}")
        return WRONG
    say(rest.save(found.id, to, stop=False))
    return DONE
