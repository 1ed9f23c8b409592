"""`tocsin check`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.checking import check_job
from tocsin.cli.console import DONE, WRONG, complain, say, show_json
from tocsin.compiler.diagnostics import JobError


def check(*jobs: Path, trusted: bool = False, json: bool = False) -> int:
    """Check job files and report all mistakes at once: grammar, configurations and columns.

    Each mistake has its line, its column and a suggested fix. Nothing runs.

    Parameters
    ----------
    jobs
        Job files, such as jobs/air_quality.yaml.
    trusted
        Allow a job to bring code (providers, Python expressions). Only for jobs that you wrote or
        read.
    json
        Print the problems as JSON.
    """
    if not jobs:
        complain("name a job file, such as jobs/air_quality.yaml")
        return WRONG
    problems, wrong = [], False
    for file in jobs:
        try:
            job, warnings = check_job(str(file), trusted=trusted)
            problems += warnings
            if not json:
                say(f"{file}: {len(job.steps)} steps, {len(job.tests)} tests, good")
        except JobError as error:
            problems += error.problems
            wrong = True
    if json:
        show_json([problem.as_dict() for problem in problems])
    else:
        for problem in problems:
            complain(str(problem), plain=True)
    return WRONG if wrong else DONE
