"""The work of a firing does not grow with history: steps of windows and alarms, and the count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.steps.detect import test_revision_operator as revised
from tests.steps.manage_alarms import test_alarm_operator as managed
from tests.steps.ordered import test_buddy_check as buddies
from tests.steps.window_join import test_join_operator as joined
from tests.steps.write_files import test_file_operator as files
from tests.support.streams import SCHEMA, SECOND, START, batch_of, rows_of
from tocsin.laws.growth import QUARTER, Firing, demand_no_growth, growth
from tocsin.laws.kit import BrokenLaw
from tocsin.laws.work import Work
from tocsin.steps.aggregate.step import Aggregate
from tocsin.steps.manage_alarms.step import ManageAlarms
from tocsin.steps.ordered.buddy_check import BuddyCheck
from tocsin.steps.ordered.quality_control import QualityControl
from tocsin.steps.window_join.step import WindowJoin
from tocsin.steps.write_files.file_operator import FileOperator

FIRINGS = range(4 * QUARTER)
RANDOM = np.random.default_rng(3)


def hours_of_neighbours() -> list[Firing]:
    sensors = [(f"s-{at}", 48.0 + at * 0.002) for at in range(5)]
    return [
        (
            buddies.batch_of(
                [(one, n, "pm25", lat, float(RANDOM.normal())) for one, lat in sensors]
            ),
            START + (n + 1) * 60 * SECOND,
        )
        for n in FIRINGS
    ]


def two_sides() -> list[Firing]:
    found = []
    for n in FIRINGS:
        rows: list[Any] = [("left", n, ("d", "1"), 1.0, 0), ("right", n, ("d",), 2.0, 0)]
        rows += [("left", n - 4, ("d", "1"), 3.0, 1)] if n >= 4 else []
        found.append((pa.concat_batches(joined.batch_of(rows)), START + (n + 1) * 5 * SECOND))
    return found


def windows_and_revisions() -> list[Firing]:
    found = []
    for n in FIRINGS:
        values = [float(value) for value in RANDOM.integers(5, 15, 3)]
        rows = [("a", n, values[0], 0), ("b", n, values[1], 0)]
        rows += [("a", n - 4, values[2], 1)] if n >= 4 else []
        found.append((revised.batch_of(rows), START + (n + 1) * 5 * SECOND))
    return found


def alarms_by_turns() -> list[Firing]:
    found = []
    for n in FIRINGS:
        time, begun = START + n * 60 * SECOND, START + n // 2 * 120 * SECOND
        what = "clear" if n % 2 else "raise"
        events = [(time, asset, what, "medium", begun) for asset in ("a", "b")]
        found.append((managed.alarm_batch(events), time + 2 * SECOND))
    return found


def readings(count: int = 3) -> list[Firing]:
    drawn = [[(f"s-{at}", n, float(RANDOM.normal())) for at in range(count)] for n in FIRINGS]
    (rows,) = rows_of([[row for rows in drawn for row in rows]])
    return [
        (batch_of(rows[n * count : (n + 1) * count]), START + (n - 5) * SECOND) for n in FIRINGS
    ]


SLIDING = Aggregate.model_validate(
    {
        "window": "1 min",
        "every": "1 s",
        "by": ["sensor"],
        "measures": {"p95": "p95(value)"},
        "shards": 1,
    }
)
BUDDIES = BuddyCheck.model_validate({**buddies.STEP, "shards": 1})
JOIN = WindowJoin.model_validate({"by": ["district"], "how": "outer", "shards": 1})
CASES = {
    "BuddyCheck": (BUDDIES.operator(buddies.SCHEMA, ""), hours_of_neighbours()),
    "WindowJoin": (JOIN.operator(joined.SCHEMA, ""), two_sides()),
    "revised threshold": (
        revised.Detect.model_validate(revised.LIMIT).operator(revised.SCHEMA, "rule"),
        windows_and_revisions(),
    ),
    "ManageAlarms": (ManageAlarms().operator(managed.SCHEMA, ""), alarms_by_turns()),
    "sliding windows": (SLIDING.operator(SCHEMA, ""), readings()),
    "files": (FileOperator(files.Files(), SCHEMA), readings()),
}


@pytest.mark.parametrize("name", CASES)
def test_late_firings_touch_as_much_as_early_ones(name: str) -> None:
    demand_no_growth(name, growth(*CASES[name]))


def test_a_long_lookahead_and_a_long_test_do_not_grow_once_they_are_full() -> None:
    tests = {"spike": {"suspect": 3}, "flat_line": {"suspect": "40 s", "fail": "1 min"}}
    config = {"by": ["sensor"], "of": "value", "tests": tests, "lookahead": "20 s", "shards": 1}
    made = QualityControl.model_validate(config).operator(SCHEMA, "")
    demand_no_growth("QualityControl", growth(made, readings()))


def test_each_kind_of_work_is_counted() -> None:
    work = Work()
    column = pa.array(np.arange(1_000))
    assert len(work.count(lambda: pa.concat_arrays([column, column]))) == 2_000
    assert work.columns >= 16_000
    few = work.arrays
    work.count(lambda: np.argsort(np.zeros(1_000), kind="stable").sum())
    assert work.arrays - few >= 16_000
    calls = work.calls
    work.count(lambda: [len(str(number)) for number in range(500)])
    assert work.calls - calls >= 500


def test_growth_of_one_kind_is_refused_with_its_size() -> None:
    demand_no_growth("x", {"columns": (12, 15), "calls": (4, 4)})
    with pytest.raises(BrokenLaw, match="touch 16 bytes of Arrow columns, and as many early ones"):
        demand_no_growth("x", {"calls": (4, 4), "columns": (12, 16)})
