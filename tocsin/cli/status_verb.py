"""`tocsin status`."""

from __future__ import annotations

from datetime import UTC, datetime

from tocsin.cli.console import DONE, say, show_json, table
from tocsin.cli.deployment import name_of, rest_of
from tocsin.flink.job_status import JobStatus, is_known, status_of
from tocsin.foundation.ledger import FATES, StepCount


def status(job: str | None = None, *, flink: str | None = None, json: bool = False) -> int:
    """Tell how the jobs on a Flink cluster are, or how one is: checkpoints, lag, watermark, ledger, restarts.

    Parameters
    ----------
    job
        Name, id or file of a job; without one, all jobs are listed.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    json
        Print it as JSON.
    """
    rest = rest_of(flink)
    if job is None:
        jobs = rest.jobs()
        if json:
            show_json([vars(found) for found in jobs])
        else:
            say(
                table(
                    ["job", "state", "started", "id"],
                    [[j.name, j.state.lower(), _time(j.started), j.id] for j in jobs],
                )
            )
        return DONE
    standing = status_of(rest, rest.job(name_of(job)))
    if json:
        show_json(standing.as_dict())
    else:
        _tell(standing)
    return DONE


def _tell(standing: JobStatus) -> None:
    checkpoints = standing.checkpoints
    restarts = "" if standing.restarts is None else f", {standing.restarts} restarts"
    say(
        f"{standing.name}: {standing.state.lower()} for {_span(standing.running_for)}{restarts} ({standing.id})"
    )
    say(
        f"checkpoints: {checkpoints['completed']} completed, {checkpoints['failed']} failed"
        + _last(checkpoints)
    )
    say(f"watermark: {_time(standing.watermark) if is_known(standing.watermark) else 'none yet'}")
    if standing.splits:
        rows = [
            [
                split.step,
                split.partition,
                split.position,
                split.lag,
                _time(split.watermark) if is_known(split.watermark) else "",
            ]
            for split in standing.splits
        ]
        say()
        say(table(["source", "partition", "position", "lag", "watermark"], rows, right=(1, 2, 3)))
    if standing.ledger.steps:
        say()
        counted = standing.ledger.steps.items()
        say(
            table(
                ["step", *FATES, "balances"],
                [[n, *(getattr(c, f) for f in FATES), _balance(c)] for n, c in counted],
                right=(1, 2, 3, 4, 5),
            )
        )
        say("counted since the last start or restart")
    for moment, text in standing.failures[:5]:
        say(f"{_time(moment)} failed: {text}")


def _balance(count: StepCount) -> str:
    return (
        "yes"
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
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


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
