"""What a traced program does to one lake, phase by phase, each in a process of its own.

Run as `python -m tests.lake.power_loss.phases FOLDER PHASE …`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.lake.rounds.care import CARE
from tests.lake.rounds.processes import fork
from tests.lake.rounds.stage import DATASET, Stage
from tests.lake.rounds.topic import batch_of
from tocsin.lake.compaction import compact
from tocsin.table.checkpoints import checkpoint
from tocsin.table.leftovers import left_over, remove_files, remove_unfinished

SEED = 7


def write(stage: Stage, moments: range) -> None:
    """Write moments of two shards."""
    sink, topic = stage.sink(stage.lake), stage.topic
    for moment in moments:
        for shard in (0, 1):
            for name, readings in topic.units(shard, moment):
                sink.write(batch_of(readings), name)
            sink.flush()
            stage.note("flushed", shard=shard, moment=moment)


def killed(stage: Stage, work: Callable[[Stage], object], syncs: int) -> None:
    """Do some work, and be killed instead of waiting for the lake's disk for the n-th time."""
    wait, left = os.fsync, [syncs]

    def fsync(number: int) -> None:
        if Path(f"/proc/self/fd/{number}").readlink().is_relative_to(stage.lake):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
        wait(number)

    os.fsync = fsync  # type: ignore[assignment]
    work(stage)


def careless(stage: Stage) -> None:
    """Write moments without waiting for the disk."""
    os.fsync = lambda fd: None
    write(stage, range(2))


def log(stage: Stage) -> None:
    """Write a checkpoint, and delete the commits before it."""
    assert checkpoint(stage.place, keep=0) is not None


def erase_one(stage: Stage) -> None:
    """Erase a lock."""
    CARE["erase"](stage, random.Random(SEED))


def vacuum(stage: Stage) -> None:
    """Delete removed files, as a vacuum does after its delay."""
    remove_files(stage.place, left_over(stage.place).removed)
    remove_unfinished(stage.place)


def note_retention(stage: Stage) -> None:
    """Remove the first day."""
    CARE["retain"](stage, random.Random(SEED))


PHASES: dict[str, Callable[[Stage], object]] = {
    "write": lambda stage: write(stage, range(2)),
    "careless": careless,
    "more": lambda stage: write(stage, range(2, 6)),
    "log": log,
    "compact": lambda stage: compact(stage.lake, 0, DATASET),
    "retain": note_retention,
    "backfill": lambda stage: CARE["backfill"](stage, random.Random(SEED)),
    "erase": erase_one,
    "vacuum": vacuum,
}


def phase(name: str) -> Callable[[Stage], object]:
    """The work of a phase. `killed-WORK-N` is the work, killed at its n-th wait for the disk."""
    if not name.startswith("killed-"):
        return PHASES[name]
    _, work, syncs = name.split("-")
    return lambda stage: killed(stage, PHASES[work], int(syncs))


def main() -> None:
    """Do the phases."""
    stage = Stage(Path(sys.argv[1]), SEED)
    for name in sys.argv[2:]:
        stage.note("phase", name=name)
        error = stage.folder / "error.txt"
        _, status = os.waitpid(fork(lambda name=name: phase(name)(stage), error), 0)  # type: ignore[misc]
        if status and not name.startswith("killed"):
            sys.exit(error.read_text())


if __name__ == "__main__":
    main()
