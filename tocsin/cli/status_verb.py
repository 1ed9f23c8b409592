"""`tocsin status`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tocsin.cli.console import DONE, say, show_json, table
from tocsin.cli.deployment import flink_job_name, flink_rest
from tocsin.cli.embedded_status import embedded_status
from tocsin.cli.ledger_table import ledger_table
from tocsin.flink.job_status import JobStatus, is_known, status_of
from tocsin.flink.rest import ENDED
from tocsin.foundation.ledger import StepCount


def status(
    job: str | None = None,
    *,
    checkpoint: Path | None = None,
    flink: str | None = None,
    json: bool = False,
) -> int:
    """List the jobs on a Flink cluster, or show one: checkpoints, lag, watermark, ledger, restarts.

    Parameters
    ----------
    job
        Name, id or file of a job. Without it, all jobs are listed.
    checkpoint
        Show instead the live job of this machine that has its checkpoints in this folder.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    json
        Print the result as JSON.
    """
    if checkpoint is not None:
        _print(embedded_status(checkpoint), json)
        return DONE
    rest = flink_rest(flink)
    if job is None:
        jobs = rest.jobs()
        if json:
            show_json([vars(one) for one in jobs])
        else:
            say(
                table(
                    ["job", "state", "started", "id"],
                    [[one.name, one.state.lower(), _time(one.started), one.id] for one in jobs],
                )
            )
        return DONE
    _print(status_of(rest, rest.job(flink_job_name(job))), json)
    return DONE


def _print(found: JobStatus, json: bool) -> None:
    if json:
        show_json(found.as_dict())
    else:
        _show(found)


def _show(found: JobStatus) -> None:
    checkpoints = found.checkpoints
    restarts = "" if found.restarts is None else f", {found.restarts} restarts"
    say(
        f"{found.name}: {found.state.lower()} for {_span(found.running_for)}{restarts} ({found.id})"
    )
    say(
        f"checkpoints: {checkpoints['completed']} completed, {checkpoints['failed']} failed"
        + _last(checkpoints)
    )
    if found.state not in ENDED:
        say(f"watermark: {_time(found.watermark) if is_known(found.watermark) else 'none yet'}")
    if found.splits:
        rows = [
            [
                split.step,
                split.partition,
                split.position,
                split.lag,
                _time(split.watermark) if is_known(split.watermark) else "",
            ]
            for split in found.splits
        ]
        say()
        say(table(["source", "partition", "position", "lag", "watermark"], rows, right=(1, 2, 3)))
    if found.ledger.steps:
        say()
        say(ledger_table(found.ledger, _balance))
        if found.restarts is not None:
            say("counted since the last start or restart")
    elif found.state in ENDED:
        say("no ledger: Flink kept no counts of this job, so nobody knows whether it balances")
    for moment, text in found.failures[:5]:
        say(f"{_time(moment)} failed: {text}")


def _balance(count: StepCount) -> str:
    return (
        ""
        if count.balances is None
        else "yes"
        if count.balances
        else f"{count.in_flight:,} in flight"
        if count.in_flight > 0
        else "no"
    )


def _last(checkpoints: dict[str, int]) -> str:
    if checkpoints["last_size"] is None:
        return ""
    size, took, age = (
        checkpoints["last_full_size"],
        checkpoints["last_duration"],
        checkpoints["last_age"],
    )
    return f"; the last: {size / 1024:,.0f} kB in {took:,} ms, {_span(age)} ago"


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        # After the year 9999, which a wrong `time_unit` makes.
        return f"{milliseconds} ms"


def _span(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return (
        f"{days} d {hours} h"
        if days
        else f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min {seconds % 60} s"
        if minutes
        else f"{seconds} s"
    )
