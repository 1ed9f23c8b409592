"""`tocsin test`."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli.checking import check_job
from tocsin.cli.console import DONE, FAILED, WRONG, complain, say, show_json


def test(*jobs: Path, trusted: bool = False, json: bool = False) -> int:
    """Run the tests in job files: rows replace the sources, and steps must give the expected rows.

    Parameters
    ----------
    jobs
        Job files.
    trusted
        Allow a job to bring code. Only for jobs that you wrote or read.
    json
        Print the results as JSON.
    """
    if not jobs:
        complain("name a job file, such as jobs/air_quality.yaml")
        return WRONG
    checked = [check_job(str(file), trusted=trusted)[0] for file in jobs]
    from tocsin.engines.local import run_test

    results, failed = [], 0
    for job in checked:
        if not job.tests:
            complain(f"{job.file} has no tests")
        for written in job.tests:
            outcome = run_test(job, written)
            failed += not outcome.passed
            mismatches = [str(mismatch) for mismatch in outcome.mismatches]
            results.append(
                {
                    "job": job.name,
                    "test": outcome.test,
                    "passed": outcome.passed,
                    "mismatches": mismatches,
                }
            )
            if not json:
                say(f"{'passed' if outcome.passed else 'FAILED'}  {job.name}: {outcome.test}")
                for mismatch in mismatches:
                    say(f"        {mismatch}")
    if json:
        show_json(results)
    else:
        say(f"{len(results) - failed} passed, {failed} failed")
    return FAILED if failed else DONE
