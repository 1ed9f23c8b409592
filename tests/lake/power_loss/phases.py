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
from tocsin.table import synced
from tocsin.table.checkpoints import checkpoint
from tocsin.table.leftovers import left_over, remove_files, remove_unfinished

SEED = 7
_sync = synced.sync


def write(stage: Stage, moments: range) -> None:
    """Write moments of two shards."""
    sink, topic = stage.sink(stage.lake), stage.topic
    for moment in moments:
        for shard in (0, 1):
            for name, readings in topic.units(shard, moment):
                sink.write(batch_of(readings), name)
            sink.flush()
            stage.note("flushed", shard=shard, moment=moment)


def killed(stage: Stage, moments: range, syncs: int) -> None:
    """Write moments, and be killed instead of waiting for the lake's disk for the n-th time."""
    left = [syncs]

    def sync(path: Path) -> None:
        left[0] -= path.is_relative_to(stage.lake)
        if not left[0] and path.is_relative_to(stage.lake):
            os.kill(os.getpid(), signal.SIGKILL)
        _sync(path)

    for name in ("tocsin.table.synced", "tocsin.table.data_file"):
        sys.modules[name].sync = sync  # type: ignore[attr-defined]
    write(stage, moments)


def careless(stage: Stage) -> None:
    """Write moments without waiting for the disk."""
    for name in ("tocsin.table.synced", "tocsin.table.data_file"):
        sys.modules[name].sync = lambda path: None  # type: ignore[attr-defined]
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
    **{
        f"killed-{syncs}": lambda stage, syncs=syncs: killed(stage, range(2), syncs)  # type: ignore[misc]
        for syncs in range(1, 30)
    },
}


def main() -> None:
    """Do the phases."""
    stage = Stage(Path(sys.argv[1]), SEED)
    for name in sys.argv[2:]:
        stage.note("phase", name=name)
        error = stage.folder / "error.txt"
        _, status = os.waitpid(fork(lambda name=name: PHASES[name](stage), error), 0)  # type: ignore[misc]
        if status and not name.startswith("killed"):
            sys.exit(error.read_text())


if __name__ == "__main__":
    main()
