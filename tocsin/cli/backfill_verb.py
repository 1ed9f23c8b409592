"""`tocsin backfill`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from tocsin.cli.console import DONE, note, say, show_json, table
from tocsin.cli.deployment import Deployment
from tocsin.cli.option_values import given_duration, given_moment
from tocsin.cli.run_verb import report
from tocsin.compiler.backfill_job import beside, from_archive, without_messages
from tocsin.compiler.job import Job
from tocsin.foundation.ledger import Ledger
from tocsin.lake.atomic_replace import remove_folder, staging_name
from tocsin.lake.backfill_merge import MergedDataset, merge_backfill


def backfill(
    job: Path,
    *,
    archive: Path | None = None,
    since: str | None = None,
    warm_up: str = "2 d",
    messages: bool = False,
    cluster: bool = False,
    json: bool = False,
    on: Deployment | None = None,
) -> int:
    """Run a job again over what it has read before, to the same rows: over its archive, or over its topics.

    It writes beside the lake; then the files that hold other rows take their places, one by one, and all others stay untouched:
    a changed coefficient changes the windows that it concerns. Files whose messages were not all read again stay as they are.
    Alarms and rejects are not sent again.

    Parameters
    ----------
    job
        Job file.
    archive
        Lake with the archive that the job's sources keep; without it the topics are read from their beginning.
    since
        Change only what ends after this moment, such as 2026-03-02T10:00:00Z; of the archive is read what came a warm-up before.
    warm_up
        What the job remembers: its longest window, silence or average.
    messages
        Send alarms and rejects, too.
    cluster
        On the Flink cluster, as JOB-backfill, in place of this machine.
    json
        Print what became of the files, and the ledger, as JSON.
    """
    on = on or Deployment()
    checked = on.checked(job)
    first = None if since is None else given_moment("--since", since)
    before = given_duration("--warm-up", warm_up)
    if archive is not None:
        checked = from_archive(
            checked, str(archive.absolute()), None if first is None else first - before
        )
    if not messages:
        checked = without_messages(checked)
    token = staging_name("backfill")
    checked, lakes = beside(checked, token)
    started = time.monotonic()
    note(f"{checked.name}: reading {archive or 'its topics'} again")
    try:
        ledger = None
        if cluster:
            on.rehearse(checked)
            on.finish(checked, f"{checked.name}-backfill")
        else:
            ledger = _here(checked)
        if ledger is not None and not ledger.balances:
            return report(checked.name, ledger, json=json)
        changes = [
            one
            for lake, datasets in lakes.items()
            for one in merge_backfill(lake / token, lake, datasets, first)
        ]
    finally:
        for lake in lakes:
            if (lake / token).is_dir():
                remove_folder(lake / token)
    note(f"{checked.name}: done in {time.monotonic() - started:.1f} s")
    return _told(checked.name, changes, ledger, json)


def _here(job: Job) -> Ledger:
    from tocsin.engines.beam.running import quiet_beam, run_bounded

    quiet_beam()
    return run_bounded(job)


def _told(job: str, changes: list[MergedDataset], ledger: Ledger | None, json: bool) -> int:
    if json:
        show_json(
            {
                "job": job,
                "files": [asdict(one) for one in changes],
                "steps": ledger.as_dict() if ledger else None,
            }
        )
        return DONE
    rows = [
        [one.dataset, one.same, len(one.changed), len(one.new), len(one.gone), len(one.kept)]
        for one in changes
    ]
    say(table(["dataset", "same", "changed", "new", "gone", "kept"], rows, right=(1, 2, 3, 4, 5)))
    if any(one.kept for one in changes):
        note(
            "kept: these files come from messages that were not all read again, and stay as they are"
        )
    return DONE if ledger is None else report(job, ledger, json=False)
