"""The care of a lake, over and over: compaction, erasure, retention, maintenance, backfill."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.lake.rounds.stage import DATASET, Stage, end_of_day, marks_of
from tests.lake.rounds.topic import ERASABLE, MOMENTS, SHARDS, batch_of
from tocsin.foundation.failure import Failure
from tocsin.lake.backfill_merge import merge_backfill
from tocsin.lake.compaction import compact
from tocsin.lake.erasures import erasures
from tocsin.lake.maintenance import maintain
from tocsin.lake.retention import erase, retain
from tocsin.lake.staging import remove_folder, staging_name
from tocsin.table import checkpoints
from tocsin.table.leftovers import left_over, remove_files
from tocsin.table.table import Table

Care = Callable[[Stage, random.Random], None]


def compaction(stage: Stage, chance: random.Random) -> None:
    """Merge the files of each day."""
    (found,) = compact(stage.lake, 0)
    if found.after < found.before:
        stage.note("compacted", before=found.before, after=found.after)


def erasure(stage: Stage, chance: random.Random) -> None:
    """Erase a lock. One that a killed process had begun comes first."""
    key = _unfinished(stage) or chance.choice(ERASABLE)
    stage.note("erase", key=key, marks=marks_of(_known(stage)))
    found = erase(stage.lake, "lock_id", key, DATASET)
    version = found[0].version if found else None
    rows = found[0].rows if found else 0
    stage.note("erased", key=key, marks=marks_of(_known(stage)), version=version, rows=rows)
    time.sleep(chance.uniform(0.2, 1.2))


def _unfinished(stage: Stage) -> str | None:
    last = [one for one in stage.events() if one["what"] in {"erase", "erased"}][-1:]
    return str(last[0]["key"]) if last and last[0]["what"] == "erase" else None


def retention(stage: Stage, chance: random.Random) -> None:
    """Remove the files of the first day."""
    time.sleep(chance.uniform(0, 0.2))
    day = 0
    stage.note("retain", day=day, marks=marks_of(_known(stage)))
    found = retain(stage.lake, now=end_of_day(day))
    stage.note("retained", day=day, marks=marks_of(_known(stage)), rows=sum(o.rows for o in found))


def maintenance(stage: Stage, chance: random.Random) -> None:
    """Merge, write checkpoints, delete old commits, and in some rounds all removed files."""
    found = maintain(stage.lake)[0]
    stage.note("maintained", checkpoint=found.checkpoint)
    if stage.seed % 2:
        checkpoints.checkpoint(stage.place, keep=0)
    if stage.seed % 3 == 0:
        # As a vacuum whose delay is over. Files that no commit names may belong to a writer.
        remove_files(stage.place, left_over(stage.place).removed)
    time.sleep(chance.uniform(0, 0.1))


def backfill(stage: Stage, chance: random.Random) -> None:
    """Write all units with another rule, and merge them. Locks that were erased are left out."""
    erased = erasures(stage.lake, [DATASET])
    # Erasures that were counted have begun before.
    events = stage.events()
    gone = {one["key"] for one in events if one["what"] == "erase"}
    rule = 1 + sum(one["what"] == "backfill" for one in events)
    stage.note("backfill", rule=rule, without=sorted(gone))
    staged = stage.lake / staging_name()
    _write_again(stage, staged, rule, gone)
    time.sleep(chance.uniform(0, 0.3))
    try:
        (found,) = merge_backfill(staged, stage.lake, [DATASET], erased=erased)
    except Failure as failure:
        if "rows were erased" not in str(failure):
            raise
        stage.note("refused", rule=rule)
        return
    finally:
        remove_folder(staged)
    stage.note("backfilled", rule=rule, changed=len(found.changed), new=len(found.new))


def _write_again(stage: Stage, staged: Path, rule: int, gone: set[str]) -> None:
    topic, sink = stage.topic, stage.sink(staged, run=f"backfill-{rule}")
    for shard in range(SHARDS):
        for moment in range(MOMENTS):
            for name, readings in topic.units(shard, moment):
                left = [one for one in readings if one.key not in gone]
                if left:
                    sink.write(batch_of(left, rule), name)
        sink.flush()
        sink.end(shard)


def _known(stage: Stage) -> Table:
    table = stage.table()
    assert table is not None
    return table


CARE: dict[str, Care] = {
    "compact": compaction,
    "erase": erasure,
    "retain": retention,
    "maintain": maintenance,
    "backfill": backfill,
}


def care(name: str) -> Callable[[Stage, int, random.Random], None]:
    """A process that does one kind of care until the round ends."""

    def loop(stage: Stage, number: int, chance: random.Random) -> None:
        while not stage.is_stopping():
            if stage.table() is not None:
                CARE[name](stage, chance)
            time.sleep(chance.uniform(0, 0.4))

    return loop
