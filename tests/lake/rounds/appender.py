"""A live job: it writes the units of its shards, and repeats all since its last checkpoint."""

from __future__ import annotations

import random
import time

from tests.lake.rounds.stage import Stage
from tests.lake.rounds.topic import APPENDERS, MOMENTS, batch_of


def append(stage: Stage, number: int, chance: random.Random) -> None:
    """Write the units of an appender's shards until its topic ends."""
    topic, sink = stage.topic, stage.sink(stage.lake)
    for moment in range(stage.checkpoint(number), MOMENTS):
        for shard in APPENDERS[number]:
            for name, readings in topic.units(shard, moment):
                sink.write(batch_of(readings), name)
            sink.flush()
            stage.note("flushed", shard=shard, moment=moment)
        if chance.random() < 0.3:
            stage.save_checkpoint(number, moment + 1)
        time.sleep(chance.uniform(0, 0.05))
