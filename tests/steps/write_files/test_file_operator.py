"""Units of output have the same rows whenever a runner fires: none lost, none repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.streams import (
    LATENESS,
    OUT_OF_ORDERNESS,
    SCHEMA,
    SECOND,
    Row,
    Shards,
    batch_of,
    deliveries,
    partitions,
    rows_of,
)
from tocsin.api.sink import Sink
from tocsin.kernels.batch import BEGINNING, FOREVER, offsets_of, with_traits
from tocsin.kernels.time.lateness import behind
from tocsin.kernels.time.partition_clock import PartitionClock
from tocsin.steps.write_files.file_operator import FileOperator
from tocsin.table.units import Unit


class Marks:
    """The marks of a table's shards: what falls due later has a greater moment."""

    def __init__(self) -> None:
        self.last: dict[int, int] = {}

    def advance(self, shard: int, tags: list[str]) -> None:
        """The units of one advance."""
        units = [
            Unit.of(tag.removeprefix("unit:").replace(".r", ".s.r"), 10 * SECOND, LATENESS)
            for tag in tags
        ]
        moments = [unit.moment for unit in units if not unit.is_numbered]
        assert all(moment > self.last.get(shard, -FOREVER) for moment in moments)
        self.last[shard] = max(moments, default=self.last.get(shard, -FOREVER))


class Files(Sink):
    """A sink of ten-second files."""

    def file_span(self) -> int | None:
        return 10 * SECOND

    def unit_shards(self) -> int:
        return 2


@given(partitions, st.integers(0, 100), st.integers(0, 100))
def test_units_do_not_depend_on_the_runner(streams: Any, one: int, other: int) -> None:
    rows = rows_of(streams)
    results = []
    for seed in (one, other):
        random = np.random.default_rng(seed)
        units, late = {}, 0
        made = FileOperator(Files(), SCHEMA)
        shards, marks = Shards(made, random), Marks()

        def advance(shard: int, time: int, marks: Marks = marks) -> None:
            emitted = list(shards.advance(shard, time))
            marks.advance(shard, [tag for tag, _ in emitted])
            for tag, batch in emitted:
                assert (shard, tag) not in units, "a unit was written twice"
                units[shard, tag] = batch.to_pylist()

        for batch, watermark in deliveries(rows, random):
            routed = made.route(batch_of(batch))
            late += routed.counts["late"]
            shards.take(routed)
            for shard in range(2):
                if random.random() < 0.5:
                    advance(shard, watermark)
        for shard in range(2):
            advance(shard, FOREVER)
        results.append((units, late))
    assert results[0] == results[1]
    units, late = results[0]
    everything = [row for partition in rows for row in partition]
    assert late == sum(
        (r.time // (10 * SECOND) + 1) * 10 * SECOND + LATENESS <= r.watermark for r in everything
    )
    assert sum(map(len, units.values())) + late == len(everything)


def test_a_unit_has_the_offsets_of_its_rows() -> None:
    made = FileOperator(Files(), SCHEMA)
    ((_shard, part),) = made.route(batch_of(rows_of([[("a", 1, 1.0), ("a", 2, 2.0)]])[0])).by_shard
    ((_, batch),) = made.advance([], [part], FOREVER, None).outputs
    assert offsets_of(batch) == {"0": (0, 1)}


def test_a_repeated_unit_has_its_own_name() -> None:
    """By the rules of lateness a unit is not repeated. If it is, its rows overwrite no others."""
    made = FileOperator(Files(), SCHEMA)
    parts = [
        made.route(batch_of(rows_of([[("a", 1, value)]])[0])).by_shard[0][1] for value in (1.0, 2.0)
    ]
    end = rows_of([[("a", 10, 1.0)]])[0][0].time
    first = made.advance([], parts[:1], end, None)
    second = made.advance(first.state, parts[1:], end, None)
    third = made.advance(second.state, parts[:1], end, None)
    names = [tag for advanced in (first, second, third) for tag, _ in advanced.outputs]
    assert names == [f"unit:{end - 10 * SECOND}.r0{times}" for times in ("", ".1", ".2")]
    # The name is kept until no row of the unit can be in time.
    forgotten = made.advance(third.state, parts[1:], end + 1000 * SECOND, None)
    again = made.advance(forgotten.state, parts[:1], end, None)
    assert [tag for tag, _ in again.outputs] == names[:1]


class Archive(Files):
    """Ten-second files by arrival."""

    def is_by_arrival(self) -> bool:
        return True


def clocked(rows: list[Row]) -> list[Row]:
    """The rows of a partition with the watermarks of `PartitionClock`."""
    times = np.array([row.time for row in rows], np.int64)
    before, _, _ = PartitionClock().follow(times, np.arange(len(rows)), 30 * SECOND)
    marks = behind(before, OUT_OF_ORDERNESS).tolist()
    return [replace(row, watermark=mark) for row, mark in zip(rows, marks, strict=True)]


@given(partitions, st.integers(0, 100), st.booleans())
def test_an_archive_has_the_rows_of_a_partition_in_order_whatever_their_clocks(
    streams: Any, seed: int, has_wrong: bool
) -> None:
    wrong = [("z", 86_400, 1.0)] if has_wrong else []
    rows = [clocked(one) for one in rows_of([[*wrong, *one] for one in streams])]
    random = np.random.default_rng(seed)
    made = FileOperator(Archive(), with_traits(SCHEMA, out_of_orderness=OUT_OF_ORDERNESS))
    shards = Shards(made, random)
    units: dict[tuple[int, str], list[Any]] = {}

    marks = Marks()

    def advance(shard: int, time: int) -> None:
        emitted = list(shards.advance(shard, time))
        marks.advance(shard, [tag for tag, _ in emitted])
        for tag, batch in emitted:
            assert (shard, tag) not in units, "a unit was written twice"
            units[shard, tag] = batch.to_pylist()

    met = dict.fromkeys(range(len(rows)), -FOREVER)
    for batch, _ in deliveries(rows, random):
        routed = made.route(batch_of(batch))
        assert not routed.counts["late"]
        shards.take(routed)
        # A source reports at most the watermark that its next row meets.
        met[batch[0].partition] = max(row.watermark for row in batch)
        for shard in range(2):
            if random.random() < 0.5:
                advance(shard, min(met.values()))
    for shard in range(2):
        advance(shard, FOREVER)
    read: dict[int, list[int]] = {number: [] for number in range(len(rows))}
    for key in sorted(units, key=lambda one: int(one[1].removeprefix("unit:").split(".")[0])):
        for row in sorted(units[key], key=lambda row: row["_offset"]):
            read[row["_partition"]].append(row["_offset"])
    assert read == {number: [*range(len(one))] for number, one in enumerate(rows)}


def test_rows_of_an_archive_that_met_no_watermark_have_a_unit_of_their_own() -> None:
    """Their unit may fall due before others of the shard that were emitted."""
    schema = with_traits(SCHEMA, out_of_orderness=OUT_OF_ORDERNESS)
    made = FileOperator(Archive(), schema)
    (rows,) = rows_of([[("a", 1, 1.0)]])
    (part,) = made.route(batch_of([replace(row, watermark=BEGINNING) for row in rows])).by_shard
    advanced = made.advance([], [part[1]], FOREVER, None)
    ((tag, _),) = advanced.outputs
    assert tag.endswith(".r0.0")
    assert made.advance([], [part[1]], 10**9 * SECOND, None).outputs == []
