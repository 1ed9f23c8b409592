"""The verdict on a round: rows of the lake, its audit, and what is left after all care."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.lake.rounds.facts import Facts
from tests.lake.rounds.snapshot import problems, snapshot
from tests.lake.rounds.stage import DATASET, Stage
from tests.lake.rounds.topic import ERASABLE, MOMENTS, SHARDS
from tests.lake.rounds.traces import traces
from tests.support.tables import strays
from tocsin.lake.audit import audit_lake
from tocsin.lake.compaction import compact
from tocsin.lake.maintenance import maintain
from tocsin.lake.retention import erase
from tocsin.lake.staging import is_staging, remove_folder
from tocsin.table.table import LOG

MONTHS = 100 * 86_400.0


def judge(stage: Stage) -> None:
    """Judge a round that has ended, and write the verdict to its folder."""
    facts = Facts(stage.events())
    table = stage.table()
    assert table is not None
    wrong = [one["problem"] for one in stage.events() if one["what"] == "wrong"]
    if facts.flushed != [MOMENTS - 1] * SHARDS:
        wrong.append(f"the appenders ended at {facts.flushed}")
    # An interrupted backfill leaves its folder, and the audit says so.
    for path in list(stage.lake.iterdir()):
        if is_staging(path):
            remove_folder(path)
    commits = table.version
    wrong += _state(stage, facts, "at the end")
    seen = snapshot(stage)
    rows = len(seen.rows) if seen else 0
    wrong += _after_care(stage, facts)
    wrong += _after_erasure(stage)
    (stage.folder / "verdict.json").write_text(
        json.dumps({"wrong": wrong, "commits": commits, "rows": rows})
    )


def _state(stage: Stage, facts: Facts, when: str) -> list[str]:
    seen = snapshot(stage)
    assert seen is not None
    found = problems(seen, stage.topic, facts, facts) + audit_lake(stage.lake).problems
    return [f"{when}: {one}" for one in found]


def _after_care(stage: Stage, facts: Facts) -> list[str]:
    """The same state a hundred days later, when no file is left that no version needs."""
    compact(stage.lake, 0)
    clock = time.time
    time.time = lambda: clock() + MONTHS  # type: ignore[assignment]
    try:
        maintain(stage.lake)
    finally:
        time.time = clock
    found = _state(stage, facts, "after maintenance")
    data = [path for path in strays(stage.lake, DATASET) if path.parent.name != LOG]
    left = [*data, *_hidden(Path(stage.place))]
    return [*found, *(f"maintenance leaves {path.name}" for path in left)]


def _hidden(place: Path) -> list[Path]:
    """Hidden files, which no reader of a table looks at."""
    return [path for path in place.rglob("*") if path.name.startswith(".")]


def _after_erasure(stage: Stage) -> list[str]:
    """Erase all locks that may be erased: no file of the table names one of them afterwards."""
    for key in ERASABLE:
        erase(stage.lake, "lock_id", key, DATASET)
    seen = snapshot(stage)
    assert seen is not None
    found = [f"an erasure left {row['lock_id']}" for row in seen.rows if row["lock_id"] in ERASABLE]
    return [*found, *traces(Path(stage.place), set(ERASABLE))]
