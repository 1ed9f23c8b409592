"""`tocsin upgrade`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.console import DONE, WRONG, complain, note, say
from tocsin.cli.deployment import Deployment
from tocsin.compiler.job import Job
from tocsin.compiler.state_compatibility import changes, state_of
from tocsin.flink.job_metadata import described, flink_name
from tocsin.flink.rest import FlinkRest
from tocsin.foundation.failure import Failure


def upgrade(
    job: Path,
    *,
    to: str | None = None,
    checkpoint: Path | None = None,
    on: Deployment | None = None,
) -> int:
    """Replace a running job by a new version: savepoint, stop, start from the savepoint.

    A change that would lose state is refused before the job stops; `tocsin plan --diff` shows it.
    If the new version does not start, the path of the savepoint is printed.

    Parameters
    ----------
    job
        Job file of the new version.
    to
        Folder for the savepoint. By default the cluster's.
    checkpoint
        Upgrade instead the live job of this machine that has its checkpoints in this folder: stop
        it if its state fits the new version. `tocsin run`, or systemd, then starts that version.
    """
    on = on or Deployment()
    checked = on.checked(job)
    if checkpoint is not None:
        return _upgrade_here(checked, checkpoint)
    rest = FlinkRest(on.address.flink)
    name = flink_name(checked.name)
    running = rest.running(name)
    if running is None:
        complain(f"'{name}' does not run on {on.address.flink}; `tocsin submit {job}` starts it")
        return WRONG
    found = changes(described(rest, running.id)["state"], state_of(checked))
    for change in found:
        complain(f"{job}: step '{change.step}' {change.sentence}", plain=True)
    if any(change.loses for change in found):
        complain(
            "not upgraded: the running job continues; a job with another name starts without state"
        )
        return WRONG
    on.rehearse(checked)
    savepoint = rest.save(running.id, to, stop=True)
    note(f"{name}: stopped with the savepoint {savepoint}")
    try:
        started = on.start(checked, savepoint=savepoint)
    except Failure as failure:
        raise Failure(
            f"{failure.sentence}; the state is safe in {savepoint}: "
            "`tocsin submit … --from-savepoint` continues from it"
        ) from None
    say(f"{name}: {started.state.lower()}, {started.id}, from {savepoint}")
    return DONE


def _upgrade_here(job: Job, folder: Path) -> int:
    """Stop the process of a folder, if a new version of its job can continue from its state."""
    from tocsin.engines.embedded.assembly import refuse_foreign_steps
    from tocsin.engines.embedded.checkpoints import refuse_other_state
    from tocsin.engines.embedded.other_process import manifest_of, stop
    from tocsin.engines.targets import check_targets

    refuse_foreign_steps(job)
    refuse_other_state(folder, manifest_of(folder), job)
    check_targets(job, live=True)
    if stop(folder, job.name):
        note(f"{job.name}: stopped with a checkpoint")
    say(f"tocsin run {job.file} --live --checkpoint {folder}")
    return DONE
