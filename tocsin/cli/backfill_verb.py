"""`tocsin backfill`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from tocsin.cli.console import DONE, note, say, show_json, table
from tocsin.cli.deployment import Deployment
from tocsin.cli.ledger_table import ledger_table
from tocsin.cli.option_values import duration_option, moment_option
from tocsin.cli.run_verb import verdict
from tocsin.compiler.backfill_job import from_archive, into_subfolder, without_messages
from tocsin.engines.local import run_to_end
from tocsin.foundation.ledger import Ledger
from tocsin.lake.backfill_merge import MergedDataset, merge_backfill
from tocsin.lake.erasures import erasures
from tocsin.lake.staging import remove_folder, staging_name


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
    """Run a job again over its archive or its topics, and replace the files whose rows change.

    The job writes to a folder next to the lake. Then each file with other rows than before replaces
    the old one; all other files stay untouched. So a changed coefficient changes only the windows
    that it affects. A file stays as it is if some of its messages were not read again. Alarms and
    rejects are not sent again. The lake stays as it is if the ledger does not balance, or if a
    step rejects the whole input or finds it late.

    Parameters
    ----------
    job
        Job file.
    archive
        Lake with the archive that the job's sources write. Without it, the job reads its topics
        from their beginning.
    since
        Change only windows that end after this moment, such as 2026-03-02T10:00:00Z. The archive is
        read from a warm-up before it.
    warm_up
        How far back the job's state reaches: its longest window, silence or average.
    messages
        Send alarms and rejects again.
    cluster
        Run on the Flink cluster under the name JOB-backfill, not on this machine.
    json
        Print the changes of files and the ledger as JSON.
    """
    on = on or Deployment()
    checked = on.checked(job)
    first = None if since is None else moment_option("--since", since)
    before = duration_option("--warm-up", warm_up)
    if archive is not None:
        checked = from_archive(
            checked, str(archive.absolute()), None if first is None else first - before
        )
    if not messages:
        checked = without_messages(checked)
    token = staging_name()
    checked, lakes = into_subfolder(checked, token)
    started = time.monotonic()
    erased = {lake: erasures(lake, datasets) for lake, datasets in lakes.items()}
    note(f"{checked.name}: reading {archive or 'its topics'} again")
    try:
        if cluster:
            on.rehearse(checked)
            ledger = on.finish(checked, f"{checked.name}-backfill").in_order(checked.counted())
        else:
            ledger = run_to_end(checked)
        code = verdict(checked, ledger)
        if code != DONE:
            _show(checked.name, [], ledger, json)
            return code
        changes = [
            one
            for lake, datasets in lakes.items()
            for one in merge_backfill(lake / token, lake, datasets, first, erased[lake])
        ]
    finally:
        for lake in lakes:
            if (lake / token).is_dir():
                remove_folder(lake / token)
    note(f"{checked.name}: done in {time.monotonic() - started:.1f} s")
    _show(checked.name, changes, ledger, json)
    return DONE


def _show(job: str, changes: list[MergedDataset], ledger: Ledger, json: bool) -> None:
    if json:
        files = [asdict(one) for one in changes]
        found = {"job": job, "files": files, "balances": ledger.balances}
        show_json({**found, "steps": ledger.as_dict()})
        return
    if changes:
        rows = [
            [one.dataset, one.same, len(one.changed), len(one.new), len(one.gone), len(one.kept)]
            for one in changes
        ]
        headers = ["dataset", "same", "changed", "new", "gone", "kept"]
        say(table(headers, rows, right=(1, 2, 3, 4, 5)))
        say()
    if any(one.kept for one in changes):
        note("kept: not all messages of these files were read again, so they stay as they are")
    say(ledger_table(ledger))
