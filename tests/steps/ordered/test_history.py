"""A history in pieces is the same history, and a firing writes only what it changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.support.streams import SCHEMA, SECOND, batch_of, rows_of
from tocsin.kernels.batch import FOREVER
from tocsin.parts.operator import Advanced, Operator
from tocsin.steps.ordered.quality_control import QualityControl

STEP: dict[str, Any] = {
    "by": ["sensor"],
    "of": "value",
    "tests": {"flat_line": {"suspect": "40 s"}, "time_gap": {"longest": "2 s"}},
    "shards": 1,
}
SENSORS = [f"sensor-{number}" for number in range(300)]


def operator() -> Operator:
    return QualityControl.model_validate(STEP).operator(SCHEMA, "")


def firings(count: int) -> list[pa.RecordBatch]:
    random = np.random.default_rng(5)
    drawn = [
        [(sensor, second, float(random.normal())) for sensor in SENSORS[second % 10 :: 10]]
        for second in range(count)
    ]
    (rows,) = rows_of([[row for rows in drawn for row in rows]])
    return [batch_of(rows[at * 30 : at * 30 + 30]) for at in range(count)]


def advanced(
    made: Operator, state: list[bytes], log: list[pa.RecordBatch], memory: dict[str, Any]
) -> Advanced:
    newest = max(batch.column("_event_time")[-1].value for batch in log)
    return made.advance(state, log, newest + SECOND, None, memory)


def test_a_firing_appends_a_small_piece_until_all_are_written_again() -> None:
    made, state, memory = operator(), list[bytes](), dict[str, Any]()
    log: list[pa.RecordBatch] = []
    whole, sizes = 0, []
    for batch in firings(200):
        log.append(batch)
        done = advanced(made, state, log, memory)
        if len(done.state) == 1:
            whole += 1
        else:
            assert all(a is b for a, b in zip(state, done.state, strict=False))
            sizes.append(len(done.state[-1]))
        state, log = done.state, log if done.log is None else list(done.log)
    assert whole < 10
    assert max(sizes[20:]) < 3_000


def test_pieces_alone_give_the_same_flags_as_memory() -> None:
    made, memory = operator(), dict[str, Any]()
    states: tuple[list[bytes], list[bytes]] = ([], [])
    for batch in firings(150):
        one = advanced(made, states[0], [batch], memory)
        copy = [bytes(bytearray(piece)) for piece in states[1]]
        other = advanced(operator(), copy, [batch], {})
        emitted = [
            sorted(str(row) for _, rows in done.outputs for row in rows.to_pylist())
            for done in (one, other)
        ]
        assert emitted[0] == emitted[1]
        assert len(emitted[0]) == 30
        states = one.state, other.state


def test_state_of_the_version_before_is_refused() -> None:
    note = b'{"version": 1, "released": 5}'
    with pytest.raises(ValueError, match="ordered step of version 1, this program reads version 2"):
        operator().advance([note], [], FOREVER, None, {})
