"""`tocsin backfill`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tocsin.cli.console import complain, note
from tocsin.cli.run_verb import report
from tocsin.parts.fence import BROKERS_VARIABLE
from tocsin.spec.backfill import from_archive, without_messages
from tocsin.spec.check import check_file


def backfill(
    job: Path,
    *,
    archive: Path | None = None,
    brokers: str | None = None,
    messages: bool = False,
    trusted: bool = False,
    json: bool = False,
) -> int:
    """Run a job again over what it has read before, to the same rows: over its archive, or over its topics.

    Files of the lake are named by what they hold, so they are replaced by the same rows, or by those of a changed job. Alarms and
    rejects are not sent again.

    Parameters
    ----------
    job
        Job file.
    archive
        Lake with the archive that the job's sources keep; without it the topics are read from their beginning.
    brokers
        Kafka brokers for steps that name none [env: TOCSIN_BROKERS].
    messages
        Send alarms and rejects, too.
    trusted
        Allow the job to bring code.
    json
        Print the ledger as JSON.
    """
    if brokers:
        os.environ[BROKERS_VARIABLE] = brokers
    checked, warnings = check_file(str(job), trusted=trusted)
    for warning in warnings:
        complain(str(warning), plain=True)
    if archive is not None:
        checked = from_archive(checked, str(archive))
    if not messages:
        checked = without_messages(checked)
    from tocsin.beam.running import quiet_beam, run_bounded

    quiet_beam()
    started = time.monotonic()
    note(f"{checked.name}: reading {archive or 'its topics'} again")
    ledger = run_bounded(checked)
    note(f"{checked.name}: done in {time.monotonic() - started:.1f} s")
    return report(checked.name, ledger, json=json)
