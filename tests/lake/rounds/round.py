"""One round: processes on one lake at once, faults at random, and the verdict."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.lake.rounds.processes import CAST, Actor, Troupe, fork
from tests.lake.rounds.stage import Stage
from tests.lake.rounds.verdict import judge
from tocsin.foundation.failpoint import LAKE

PATIENCE = 90.0
"""Seconds in which a round has to end."""


@dataclass
class Outcome:
    """A round's verdict and counts."""

    seed: int
    seconds: float = 0.0
    kills: int = 0
    stalls: int = 0
    commits: int = 0
    rows: int = 0
    erasures: int = 0
    compactions: int = 0
    backfills: int = 0
    retentions: int = 0
    checkpoints: int = 0
    snapshots: int = 0
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The outcome in one line of JSON."""
        return json.dumps(asdict(self))


def play(folder: Path, seed: int) -> Outcome:
    """Play a round in an empty folder."""
    stage, begun = Stage(folder, seed), time.monotonic()
    (folder / "failpoints").mkdir(parents=True)
    stage.lake.mkdir()
    troupe = Troupe(stage)
    outcome = Outcome(seed)
    try:
        for role, number in CAST:
            troupe.start(role, number)
        _strike(troupe, random.Random(f"faults {seed}"), begun + PATIENCE)
        _wait_for_backfill(troupe)
        stage.stop()
        outcome.wrong += _ended(troupe, begun + PATIENCE)
    finally:
        troupe.end()
    outcome.kills, outcome.stalls = troupe.kills, troupe.stalls
    outcome.wrong += troupe.failures()
    _judge(stage, outcome)
    _count(stage, outcome)
    outcome.seconds = round(time.monotonic() - begun, 2)
    return outcome


def _strike(troupe: Troupe, chance: random.Random, end: float) -> None:
    """Kill and stop processes at random until the appenders have ended."""
    left = chance.randint(2, 5)
    due = time.monotonic() + chance.uniform(0.05, 0.4)
    stopped: list[tuple[float, Actor]] = []
    while troupe.running("append") and time.monotonic() < end:
        time.sleep(0.01)
        troupe.replace_killed()
        now = time.monotonic()
        for until, one in list(stopped):
            if until <= now:
                one.signal(signal.SIGCONT)
                stopped.remove((until, one))
        if left and now >= due:
            left -= 1
            due = now + chance.uniform(0.05, 0.5)
            kind = chance.choice(["kill", "kill", "failpoint", "stall"])
            if kind == "failpoint":
                (troupe.stage.folder / "failpoints" / chance.choice(LAKE)).touch()
            elif kind == "kill":
                chance.choice(troupe.running()).signal(signal.SIGKILL)
            else:
                one = chance.choice(troupe.running("append") or troupe.running())
                stopped.append((now + chance.uniform(0.1, 0.6), one))
                _stall(troupe, one)
    for _, one in stopped:
        one.signal(signal.SIGCONT)


def _wait_for_backfill(troupe: Troupe) -> None:
    """Let a backfill that has begun come to its end, for a second."""
    stage, end = troupe.stage, time.monotonic() + 1
    while not stage.count("backfilled") and time.monotonic() < end:
        time.sleep(0.02)
        troupe.replace_killed()


def _stall(troupe: Troupe, one: Actor) -> None:
    """Stop a process. An appender is taken for dead: another takes over its shards."""
    troupe.stalls += 1
    one.signal(signal.SIGSTOP)
    if one.role == "append":
        troupe.start(one.role, one.number)


def _ended(troupe: Troupe, end: float) -> list[str]:
    """Wait for the end of all processes; what is wrong with their ends."""
    while troupe.running() and time.monotonic() < end:
        time.sleep(0.01)
        troupe.replace_killed()
    late = [f"{one.role} {one.number} did not end" for one in troupe.running()]
    codes = {f"{one.role} {one.number} ended with {one.code}" for one in troupe.actors if one.code}
    return [*late, *sorted(codes)]


def _judge(stage: Stage, outcome: Outcome) -> None:
    """Judge in a process of its own, because this one may not use the library before a fork."""
    judging = Actor("judge", 0, fork(lambda: judge(stage), stage.folder / "error-judge.txt"))
    end = time.monotonic() + PATIENCE
    while not judging.reap() and time.monotonic() < end:
        time.sleep(0.01)
    judging.kill()
    try:
        verdict: dict[str, Any] = json.loads((stage.folder / "verdict.json").read_text())
    except FileNotFoundError:
        error = stage.folder / "error-judge.txt"
        text = error.read_text().strip() if error.exists() else "no answer"
        outcome.wrong.append(f"the judge failed: {text.splitlines()[-1]}")
        return
    outcome.wrong += verdict["wrong"]
    outcome.commits, outcome.rows = verdict["commits"], verdict["rows"]


def _count(stage: Stage, outcome: Outcome) -> None:
    events = stage.events()
    counts = Counter(one["what"] for one in events)
    outcome.erasures = sum(one["what"] == "erased" and one["rows"] > 0 for one in events)
    outcome.retentions = sum(one["what"] == "retained" and one["rows"] > 0 for one in events)
    outcome.checkpoints = sum(one["what"] == "maintained" and one["checkpoint"] for one in events)
    outcome.compactions, outcome.backfills = counts["compacted"], counts["backfilled"]
    outcome.snapshots = sum(one["what"] == "read" and one["whole"] for one in events)
