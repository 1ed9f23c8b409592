from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.streams import (
    LATENESS,
    SCHEMA,
    SECOND,
    batch_of,
    deliveries,
    partitions,
    rows_of,
)
from tocsin.kernels.batch import FOREVER
from tocsin.kernels.state.keyed_block import from_ipc
from tocsin.steps.deduplicate.step import Deduplicate

STEP = Deduplicate(by=["sensor"], shards=2)


@given(partitions, st.integers(0, 100))
def test_each_key_and_time_is_kept_once_and_every_row_is_counted(streams: Any, seed: int) -> None:
    rows = rows_of(streams)
    random = np.random.default_rng(seed)
    made = STEP.operator(SCHEMA, "")
    states: dict[int, list[bytes]] = {}
    memories: dict[int, dict[str, Any]] = {}
    kept, late, filtered = [], 0, 0
    for batch, watermark in deliveries(rows, random):
        routed = made.route(batch_of(batch))
        late += routed.counts["late"]
        for shard, part in routed.by_shard:
            if random.random() < 0.2:
                memories.pop(shard, None)
                states[shard] = [bytes(bytearray(piece)) for piece in states.get(shard, [])]
            advanced = made.advance(
                states.get(shard, []), [part], -FOREVER, None, memories.setdefault(shard, {})
            )
            states[shard] = advanced.state
            filtered += advanced.counts["filtered"]
            kept += [
                (r["sensor"], r["_event_time"]) for _, b in advanced.outputs for r in b.to_pylist()
            ]
        for shard in list(states):
            states[shard] = made.advance(states[shard], [], watermark, None, memories[shard]).state
    everything = [row for partition in rows for row in partition]
    in_time = {(r.sensor, r.time) for r in everything if r.time + LATENESS >= r.watermark}
    assert len(kept) == len(set(kept)) == len(in_time)
    assert len(kept) + late + filtered == len(everything)


def test_state_is_bounded_by_time() -> None:
    made = STEP.operator(SCHEMA, "")
    state: list[bytes] = []
    for second in range(0, 600, 10):
        for _, part in made.route(batch_of(rows_of([[("a", second, 1.0)]])[0])).by_shard:
            state = made.advance(state, [part], -FOREVER, None).state
        state = made.advance(
            state, [], rows_of([[("a", second, 1.0)]])[0][0].time - 5 * SECOND, None
        ).state
    assert sum(from_ipc(piece).num_rows for piece in state) <= 4


def test_the_copy_with_the_lowest_offset_of_a_batch_is_kept() -> None:
    made = STEP.operator(SCHEMA, "")
    rows = rows_of([[("a", 1, 1.0), ("a", 1, 2.0)]])[0]
    ((_, part),) = made.route(batch_of(rows[::-1])).by_shard
    ((_, kept),) = made.advance([], [part], -FOREVER, None).outputs
    assert kept.column("value").to_pylist() == [1.0]


def test_a_reading_is_remembered_exactly_as_long_as_a_copy_of_it_is_not_late() -> None:
    made = STEP.operator(SCHEMA, "")
    older, row = rows_of([[("a", 99, 1.0), ("a", 100, 1.0)]])[0]

    def filtered_at(time: int) -> int:
        """How many copies are filtered once the watermark has passed `time`."""
        parts = [part for one in (older, row) for _, part in made.route(batch_of([one])).by_shard]
        state = made.advance([], parts, -FOREVER, None).state
        state = made.advance(state, [], time, None).state
        return int(made.advance(state, parts[1:], -FOREVER, None).counts["filtered"])

    # At the watermark `time + LATENESS` a copy is not late yet; after it, every copy is.
    for passed in (0, 1, LATENESS - 1, LATENESS):
        assert filtered_at(row.time + passed) == 1, passed
    assert filtered_at(row.time + LATENESS + 1) == 0
    copies = [replace(row, watermark=row.time + LATENESS + more) for more in (0, 1)]
    assert [made.route(batch_of([copy])).counts["late"] for copy in copies] == [0, 1]


def test_a_reading_is_forgotten_after_its_span() -> None:
    made = Deduplicate(by=["sensor"], within="7 s", shards=1).operator(SCHEMA, "")
    rows = rows_of([[("a", 103, 1.0), ("b", 100, 1.0)]])[0]
    assert made.due(batch_of(rows)) == rows[1].time + 7 * SECOND + 1
    ((_, part),) = made.route(batch_of(rows)).by_shard
    # Half of the span later, so that one call forgets many.
    assert made.advance([], [part], -FOREVER, None).due == rows[1].time + 7 * SECOND * 3 // 2
    assert made.due(batch_of([])) is None


def test_the_more_readings_are_remembered_the_seldomer_they_are_all_written_again() -> None:
    made = Deduplicate(by=["sensor"], within="1 d", shards=1).operator(SCHEMA, "")
    state, memory = list[bytes](), dict[str, Any]()
    written = []
    for number in range(300):
        rows = rows_of([[(f"{number}-{at}", number, 1.0) for at in range(100)]])[0]
        ((_, part),) = made.route(batch_of(rows)).by_shard
        done = made.advance(state, [part], -FOREVER, None, memory)
        if len(done.state) <= len(state):
            written.append(number)
        state = done.state
    # After as many pieces as the root of the readings, and not after each 64.
    assert written == [100, 261]
