"""Readers: each version that one of them sees is consistent."""

from __future__ import annotations

import random
import time

from tests.lake.rounds.facts import Facts
from tests.lake.rounds.snapshot import problems, snapshot
from tests.lake.rounds.stage import Stage


def read(stage: Stage, number: int, chance: random.Random) -> None:
    """Look at the newest version again and again, until the round ends."""
    topic = stage.topic
    while not stage.is_stopping():
        before = Facts(stage.events())
        seen = snapshot(stage)
        if seen is None:
            stage.note("read", whole=False)
        else:
            after = Facts(stage.events())
            for problem in problems(seen, topic, before, after)[:3]:
                stage.note("wrong", problem=f"a reader saw in {problem}")
            stage.note("read", whole=True, rows=len(seen.rows))
        time.sleep(chance.uniform(0.05, 0.2))
