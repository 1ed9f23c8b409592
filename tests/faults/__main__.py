"""`python -m tests.faults`: faults in a seeded order on a real Kafka and Flink, each verified."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from infra.cluster.settings import ROOT
from tests.faults.faults import EARLY, FAULTS, MOST, SHORT, Missed, impossible
from tests.faults.judge import judge
from tests.faults.report import Round, page, table
from tests.faults.stage import Stage

# Microseconds from the end of a fault until all due output exists.
PATIENCE = 60_000_000
# Rows that may be between two steps while readings arrive.
IN_FLIGHT = 2000


def schedule(rounds: int, seed: int, left_out: Collection[str] = ()) -> list[str]:
    """Faults in random order, one of them early; each once before any is repeated."""
    source, found, counts = random.Random(seed), [], {}
    while len(found) < rounds:
        names = [name for name in FAULTS if name not in left_out]
        source.shuffle(names)
        names.sort(key=lambda name: name == EARLY, reverse=True)
        for name in names:
            counts[name] = counts.get(name, 0) + 1
            if counts[name] <= MOST.get(name, rounds):
                found.append(name)
    return found[:rounds]


def play(stage: Stage, name: str) -> Round:
    """Strike, wait for fresh output, judge."""
    found = Round(name)
    began, struck_at = time.monotonic(), time.time()
    try:
        stage.wait_for_output(int((time.time() - 25) * 1e6))
        began, struck_at = time.monotonic(), time.time()
        FAULTS[name](stage)
        found.struck_for = time.monotonic() - began
        struck = int(time.time() * 1e6)
        found.recovery = stage.wait_for_output(struck)
        stage.wait_for_output(struck + 2_000_000)
        until = stage.newest_output() - 4_000_000
        verdict = judge(stage.oracle, stage.lake, stage.alarms, stage.rejects, until)
        # Missing output may still arrive through a connection that hung; duplicates stay.
        while verdict.is_only_incomplete and time.time() * 1e6 < struck + PATIENCE:
            time.sleep(1)
            verdict = judge(stage.oracle, stage.lake, stage.alarms, stage.rejects, until)
        found.whole, found.silence = time.time() - struck / 1e6, stage.silence(struck_at)
        found.records, found.lost, found.duplicated = (
            verdict.records,
            verdict.lost,
            verdict.duplicated,
        )
        found.problems = verdict.problems + stage.traffic.errors
        found.problems += ledger_problems(stage)
    except Missed as missed:
        found.problems.append(f"no fault struck: {missed}")
    except Exception as error:  # noqa: BLE001 - the next round runs whatever this one raised
        found.problems.append(f"{type(error).__name__}: {error}")
        traceback.print_exc()
        print(stage.last_words(), flush=True)
    return found


def ledger_problems(stage: Stage) -> list[str]:
    """The running job's ledger: it counts no row that was not read, and few rows are in flight.

    Flink reads one counter after another while they increase, so one sample may not balance; five
    consecutive ones must not.
    """
    odd: dict[str, int] = {}
    for _ in range(5):
        standing = stage.status()
        odd = {
            step: rows for step, rows in standing["in_flight"].items() if not 0 < rows < IN_FLIGHT
        }
        if not odd:
            return []
        time.sleep(1)
    return [f"the ledger does not balance: {odd} rows, {standing['ledger']}"]


def final_problems(stage: Stage) -> list[str]:
    """Once the readings stop, the ledger balances to the row."""
    stage.traffic.end()
    try:
        stage.wait_for("balanced ledger", lambda: stage.status()["balances"], 40)
    except TimeoutError:
        return [f"the ledger does not balance at the end: {stage.status()['in_flight']}"]
    return []


def main() -> int:
    """Run, report, and return 1 if a round failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--rounds", type=int, default=50, help="rounds of the long form")
    parser.add_argument(
        "--short", action="store_true", help="the form that every change is tested with"
    )
    parser.add_argument(
        "--only", action="append", choices=list(FAULTS), help="only these faults, in this order"
    )
    parser.add_argument("--seed", type=int, default=None, help="by default from the clock; printed")
    parser.add_argument("--folder", type=Path, default=ROOT / ".faults")
    parser.add_argument("--report", type=Path, help="file for the rounds, a JSON line each")
    parser.add_argument(
        "--page",
        type=Path,
        help="report to write at the end (docs/reports/faults.md)",
    )
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else int(time.time())
    cannot = impossible()
    for name, need in cannot.items():
        print(f"left out: {name}, which needs {need}", flush=True)
    names = given.only or (list(SHORT) if given.short else schedule(given.rounds, seed, cannot))
    print(f"seed {seed}: {len(names)} rounds", flush=True)
    rounds: list[Round] = []
    with Stage(given.folder.resolve(), seed) as stage:
        for number, name in enumerate(names, 1):
            played = play(stage, name)
            rounds.append(played)
            mark = "ok  " if played.passed else "FAIL"
            print(
                f"{number:3} {mark} {name:<28} fault {played.struck_for:5.1f} s, "
                f"recovery {played.recovery:5.1f} s, silence {played.silence:4.1f} s, "
                f"all {played.whole:5.1f} s, "
                f"{played.records:,} records, {played.lost} lost, {played.duplicated} duplicated",
                flush=True,
            )
            for problem in played.problems:
                print(f"         {problem[:1000]}", flush=True)
            if given.report:
                with given.report.open("a") as file:
                    file.write(json.dumps({"seed": seed, **asdict(played)}) + "\n")
            if len(rounds) > 1 and not played.passed and not rounds[-2].passed:
                print("two failures in a row: what follows would prove nothing", flush=True)
                break
        if rounds[-1].passed:
            rounds[-1].problems += final_problems(stage)
            print(
                "at the end, without readings: "
                + ("; ".join(rounds[-1].problems) or "the ledger balances to the row")
            )
    print(table(rounds))
    if given.page:
        given.page.parent.mkdir(parents=True, exist_ok=True)
        given.page.write_text(page(rounds, [seed]), "utf-8")
    return 0 if len(rounds) == len(names) and all(r.passed for r in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
