"""`tocsin savepoint`."""

from __future__ import annotations

from tocsin.cli.console import DONE, WRONG, complain, say
from tocsin.cli.deployment import name_of, rest_of


def savepoint(job: str, *, to: str | None = None, flink: str | None = None) -> int:
    """Take a savepoint of a running job and print its path.

    Parameters
    ----------
    job
        Name, id or file of the job.
    to
        Folder for the savepoint; by default the cluster's.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    """
    rest = rest_of(flink)
    found = rest.job(name_of(job))
    if found.has_ended:
        complain(f"'{found.name}' ({found.id}) has ended: {found.state.lower()}")
        return WRONG
    say(rest.save(found.id, to, stop=False))
    return DONE
