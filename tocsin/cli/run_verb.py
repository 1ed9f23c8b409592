"""`tocsin run`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path

from tocsin.cli.checking import check_job
from tocsin.cli.console import DONE, FAILED, WRONG, complain, note, say, show_json, table
from tocsin.cli.ledger_table import ledger_table
from tocsin.cli.lost_input import lost_input
from tocsin.compiler.job import Job
from tocsin.engines.beam.prism import HOW_TO_GET_IT, find_prism
from tocsin.foundation.ledger import Ledger
from tocsin.foundation.sandbox import BROKERS_VARIABLE


def run(
    job: Path,
    *,
    runner: str = "direct",
    live: bool = False,
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
        direct: in this process. prism: the same as --live. For Flink, see `tocsin submit`.
    live
        Read until interrupted, on Beam's Prism runner.
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
    if runner not in ("direct", "prism"):
        complain(f"no runner '{runner}' (known: direct, prism; prism is what --live uses)")
        return WRONG
    if runner == "prism":
        live = True
    if brokers:
        os.environ[BROKERS_VARIABLE] = brokers
    checked, warnings = check_job(str(job), trusted=trusted)
    for warning in warnings:
        complain(str(warning), plain=True)
    from tocsin.engines.beam.running import quiet_beam, run_bounded, run_live

    quiet_beam()
    prism = find_prism() if live else None
    if live and prism is None:
        complain(
            f"--live needs Beam's Prism runner: {HOW_TO_GET_IT}, or put its path into TOCSIN_PRISM"
        )
        return WRONG
    started = time.monotonic()
    note(f"{checked.name}: reading {'until interrupted' if live else 'to the end of its inputs'}")
    with _profiled(profile, checked.name):
        ledger = run_live(checked, prism) if prism is not None else run_bounded(checked)
    note(f"{checked.name}: done in {time.monotonic() - started:.1f} s")
    if json:
        show_json({"job": checked.name, "balances": ledger.balances, "steps": ledger.as_dict()})
    else:
        say(ledger_table(ledger))
    return verdict(checked, ledger, must_balance=not live)


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
