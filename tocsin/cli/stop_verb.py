"""`tocsin stop`."""

from __future__ import annotations

from tocsin.cli.console import DONE, WRONG, complain, note, say
from tocsin.cli.deployment import name_of, rest_of


def stop(
    job: str, *, to: str | None = None, discard: bool = False, flink: str | None = None
) -> int:
    """Stop a job with a savepoint, from which it can go on.

    Parameters
    ----------
    job
        Name, id or file of the job.
    to
        Folder for the savepoint; by default the cluster's.
    discard
        Stop without a savepoint: a job that is started again begins anew.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    """
    rest = rest_of(flink)
    found = rest.job(name_of(job))
    if found.has_ended:
        complain(f"'{found.name}' ({found.id}) has ended: {found.state.lower()}")
        return WRONG
    if discard:
        rest.cancel(found.id)
        say(f"{found.name}: cancelled")
        return DONE
    path = rest.save(found.id, to, stop=True)
    say(path)
    note(f"{found.name}: stopped; go on with `tocsin submit … --from-savepoint {path}`")
    return DONE
