"""Rows that memory keeps are those of the log, and memory of another state is not used."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tests.support.streams import SCHEMA, SECOND, START, batch_of, rows_of
from tocsin.kernels.batch import EVENT_TIME, micros
from tocsin.steps.state.needed_rows import NeededRows
from tocsin.steps.state.row_log import begins_with
from tocsin.steps.state.waiting_batches import WaitingBatches

batches = st.lists(st.lists(st.integers(0, 20), max_size=4), min_size=1, max_size=10)


def batch(seconds: list[int]) -> pa.RecordBatch:
    return batch_of(rows_of([[("a", second, 1.0) for second in seconds]])[0])


def seconds_of(rows: pa.RecordBatch) -> list[int]:
    return ((micros(rows.column(EVENT_TIME)) - START) // SECOND).tolist()


@given(batches, st.sampled_from([0, 4_000]))
def test_rows_are_needed_until_they_are_not(drawn: list[list[int]], spent: int) -> None:
    memory: dict[str, Any] = {}
    log: list[pa.RecordBatch] = []
    state: list[bytes] = []
    expected: list[int] = []
    with mock.patch("tocsin.steps.state.row_log._SPENT", spent):
        for at, seconds in enumerate(drawn):
            log = [*log, batch(seconds)]
            known = NeededRows.of(log, state, memory, SCHEMA)
            expected += seconds
            assert seconds_of(known.rows) == expected
            state = [str(at).encode()]
            kept = known.keep(np.array(expected, int) >= at, state, memory)
            expected = [second for second in expected if second >= at]
            log = log if kept is None else list(kept)
            everything = [second for one in log for second in seconds_of(one)]
            assert [second for second in everything if second >= at] == expected


def test_memory_of_another_state_or_log_is_not_used() -> None:
    log = [batch([1, 2]), batch([3])]
    for state, other in (([b"older"], log), ([b"newer"], [batch([1, 2]), batch([3])])):
        memory: dict[str, Any] = {}
        newer = [b"newer"]
        known = NeededRows.of(log, [], memory, SCHEMA)
        assert known.keep(np.array([False, False, True]), newer, memory) is None
        same = NeededRows.of(log, newer, dict(memory), SCHEMA)
        assert seconds_of(same.rows) == [3]
        assert seconds_of(NeededRows.of(other, state, memory, SCHEMA).rows) == [1, 2, 3]


@given(batches, st.sampled_from([0, 4_000]), st.integers(0, 99))
def test_each_waiting_row_is_released_once(drawn: list[list[int]], spent: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    waiting, log, released = WaitingBatches(), list[pa.RecordBatch](), 0
    time = seen = 0
    left: list[int] = []
    with mock.patch("tocsin.steps.state.row_log._SPENT", spent):
        for seconds in drawn:
            if random.random() < 0.3:
                # Memory is lost.
                waiting, released = WaitingBatches(), time
            log = [*log, batch([second for second in seconds if second >= time])]
            left += [second for second in seconds if second >= time]
            waiting.take(log, seen, START + released * SECOND)
            time += int(random.integers(0, 5))
            found = [s for one in waiting.release(START + time * SECOND) for s in seconds_of(one)]
            assert found == [second for second in left if second < time]
            left = [second for second in left if second >= time]
            first = waiting.first()
            assert first == (START + min(left) * SECOND if left else None)
            kept = waiting.kept()
            log, released = log if kept is None else list(kept), time
            seen = len(log)


def test_a_log_begins_with_the_same_objects() -> None:
    one, other = batch([1]), batch([1])
    assert begins_with([one, other], [one])
    assert begins_with([one], [])
    assert not begins_with([one], [one, other])
    assert not begins_with([other], [one])
