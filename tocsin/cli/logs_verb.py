"""`tocsin logs`."""

from __future__ import annotations

from datetime import UTC, datetime

from tocsin.cli.console import DONE, say
from tocsin.cli.deployment import flink_job_name, flink_rest


def logs(
    job: str | None = None, *, lines: int = 40, full: bool = False, flink: str | None = None
) -> int:
    """Show why a job failed or restarted, and the last lines of the TaskManagers' logs.

    Parameters
    ----------
    job
        Name, id or file of a job. Without it, only logs are shown.
    lines
        Number of lines of each TaskManager's log.
    full
        Show failures with their tracebacks.
    flink
        URL of the JobManager [env: TOCSIN_FLINK].
    """
    rest = flink_rest(flink)
    if job is not None:
        found = rest.job(flink_job_name(job))
        for failure in reversed(rest.failures(found.id)):
            at = datetime.fromtimestamp(failure.moment / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            say(f"{at} {found.name}: {failure.text if full else failure.sentence}")
    for name, text in rest.logs():
        say(f"-- {name}")
        for line in text.splitlines()[-lines:] if lines else []:
            say(line)
    return DONE
