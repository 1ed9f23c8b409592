"""`tocsin run`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from json import dumps
from pathlib import Path

from tocsin.cli.checking import check_job
from tocsin.cli.console import DONE, FAILED, WRONG, complain, note, say, show_json, table
from tocsin.cli.ledger_table import ledger_table
from tocsin.cli.lost_input import lost_input
from tocsin.cli.progress_line import ProgressLine
from tocsin.cli.stopping import Stopping
from tocsin.compiler.job import Job
from tocsin.foundation.ledger import Ledger
from tocsin.foundation.sandbox import BROKERS_VARIABLE

RUNNERS = ("embedded", "direct", "prism")


def run(
    job: Path,
    *,
    runner: str = "embedded",
    live: bool = False,
    checkpoint: Path | None = None,
    metrics: int | None = None,
    brokers: str | None = None,
    trusted: bool = False,
    profile: Path | None = None,
    json: bool = False,
) -> int:
    """Run a job on this machine and print its ledger.

    The job reads its topics to their present end. With --live it reads until interrupted. The exit
    code is 1 if a step rejects the whole input or finds it late.

    Parameters
    ----------
    job
        Job file.
    runner
        embedded: in this process. direct: on Beam's local runner, which also runs transforms of
        Beam and code that a job brings. prism: on Beam's Prism runner, always live. For Flink, see
        `tocsin submit`.
    live
        Read until interrupted.
    checkpoint
        Folder for the positions and the state of a live job. A job that starts with the folder
        continues where it ended, and loses and repeats nothing.
    metrics
        Port on 127.0.0.1 at which Prometheus can read a live job's metrics; 0 for a free port.
    brokers
        Kafka brokers for steps that name no brokers [env: TOCSIN_BROKERS].
    trusted
        Allow the job to bring code. Only for jobs that you wrote or read.
    profile
        Folder for a flame graph (flame.svg) and the processor time of each part of the work
        (parts.json), which is also printed. Needs py-spy.
    json
        Print the ledger as JSON.
    """
    wrong = _wrong_options(runner, live, checkpoint, metrics)
    if wrong is not None:
        complain(wrong)
        return WRONG
    live = live or runner == "prism"
    if brokers:
        os.environ[BROKERS_VARIABLE] = brokers
    checked, warnings = check_job(str(job), trusted=trusted)
    for warning in warnings:
        complain(str(warning), plain=True)
    if runner == "embedded":
        made = _live_job(checked, checkpoint, metrics) if live else _bounded(checked)
    else:
        made = _on_beam(checked, runner, live)
    started = time.monotonic()
    note(f"{checked.name}: reading {'until interrupted' if live else 'to the end of its inputs'}")
    with _profiled(profile, checked.name):
        ledger = made()
    note(f"{checked.name}: done in {time.monotonic() - started:.1f} s")
    if json:
        show_json({"job": checked.name, "balances": ledger.balances, "steps": ledger.as_dict()})
    else:
        say(ledger_table(ledger))
    return verdict(checked, ledger, must_balance=not live)


def _wrong_options(
    runner: str, live: bool, checkpoint: Path | None, metrics: int | None
) -> str | None:
    """Why the options of a run do not fit together, or None."""
    if runner not in RUNNERS:
        return f"no runner '{runner}' (known: {', '.join(RUNNERS)})"
    if runner == "direct" and live:
        return "Beam's local runner only reads to the end: --live runs on embedded or prism"
    if runner != "embedded" and (checkpoint is not None or metrics is not None):
        return f"--checkpoint and --metrics belong to the embedded engine, not to {runner}"
    if not live and checkpoint is not None:
        return "--checkpoint needs --live: a run with an end starts from the beginning"
    if not live and metrics is not None:
        return "--metrics needs --live"
    if metrics is not None and not 0 <= metrics < 2**16:
        return f"--metrics {metrics} is no port; write 0 to 65535"
    return None


def _bounded(job: Job) -> Callable[[], Ledger]:
    """A run to the end of the inputs."""
    from tocsin.engines.embedded.running import run_bounded

    def made() -> Ledger:
        line = ProgressLine()
        with Stopping() as is_stopping:
            try:
                return run_bounded(job, is_stopping=is_stopping, show=line.show)
            finally:
                line.clear()
                is_stopping.end()

    return made


def _live_job(job: Job, folder: Path | None, port: int | None) -> Callable[[], Ledger]:
    """A run without an end. It has its state when this function returns."""
    from tocsin.engines.embedded.running import LiveJob
    from tocsin.engines.embedded.watching import Watching

    started = LiveJob(job, folder)
    if folder is None:
        note(f"{job.name}: no --checkpoint: each start is a new beginning")
    elif started.counts.by_step():
        note(f"{job.name}: continues from {folder}")

    def made() -> Ledger:
        line = ProgressLine()
        with (
            closing(started),
            Watching(started, folder, port) as watching,
            Stopping() as is_stopping,
        ):
            if watching.address is not None:
                note(f"{job.name}: metrics at {watching.address}")
            watching.viewers.append(line.show)
            try:
                return started.run(is_stopping, watching.show)
            finally:
                line.clear()

    return made


def _on_beam(job: Job, runner: str, live: bool) -> Callable[[], Ledger]:
    """A run on one of Beam's runners. Raises Mistake where it is not installed."""
    from tocsin.engines.beam.prism import HOW_TO_GET_IT, find_prism
    from tocsin.engines.beam.running import quiet_beam, run_bounded, run_live
    from tocsin.foundation.failure import Mistake

    quiet_beam()
    if not live:
        return lambda: run_bounded(job)
    prism = find_prism()
    if prism is None:
        raise Mistake(
            f"`--runner {runner}` needs Beam's Prism runner: {HOW_TO_GET_IT}, "
            "or put its path into TOCSIN_PRISM"
        )
    return lambda: run_live(job, prism)


def verdict(job: Job, ledger: Ledger, *, must_balance: bool = True) -> int:
    """The exit code of a run with this ledger; complains about a ledger that is not good.

    A ledger without counts is no failure: a topic may be empty.
    """
    if must_balance and ledger.balances is False:
        complain(
            "the ledger does not balance: rows were lost or counted twice; this is a bug of tocsin"
        )
        return FAILED
    if ledger.balances is None:
        note(f"{job.name}: no step counted a row, so there is nothing to balance")
    lost = lost_input(job, ledger)
    if lost is not None:
        complain(lost.sentence)
    return FAILED if lost is not None and lost.is_all else DONE


@contextmanager
def _profiled(folder: Path | None, name: str) -> Iterator[None]:
    if folder is None:
        yield
        return
    from tocsin.profile.process import profiled

    folder.mkdir(parents=True, exist_ok=True)
    with profiled(name) as found:
        yield
    (folder / "flame.svg").write_text(found.flame, "utf-8")
    (folder / "parts.json").write_text(
        dumps({"total": found.total, "parts": found.parts}, indent=1) + "\n", "utf-8"
    )
    rows = [
        [part, f"{seconds:.2f}", f"{100 * seconds / (found.total or 1):.1f} %"]
        for part, seconds in found.parts.items()
    ]
    note(
        table(
            ["part", "processor seconds", "share"],
            [*rows, ["all", f"{found.total:.2f}", "100.0 %"]],
            right=(1, 2),
        )
    )
    note(f"{folder / 'flame.svg'}: the flame graph")
