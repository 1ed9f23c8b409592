"""The shards of an operator on Beam: state cells and one event-time timer each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import BytesCoder, StrUtf8Coder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)

from tocsin.engines.beam.io.batch_coder import BatchCoder
from tocsin.engines.beam.io.restrictions import clipped
from tocsin.engines.beam.operators.metrics import StepCounter
from tocsin.engines.beam.operators.shard_cache import MILLISECOND, ShardCache
from tocsin.engines.beam.operators.timers import set_timer
from tocsin.kernels.batch import FOREVER, EndOfInput, Traits, end_marker, end_of_input
from tocsin.parts.operator import Advanced, Operator
from tocsin.parts.sink import Sink
from tocsin.steps.write_files.file_operator import UNIT, write_units

# By step and shard, for all instances of a step in this process: a runner uses several in turn.
_CACHES: dict[tuple[str, int], ShardCache] = {}


class _Shards(beam.DoFn):  # type: ignore[misc]
    """Advances shards when rows arrive and when timers fire. A subclass has the state cells."""

    def __init__(self, operator: Operator, step: str, sink: Sink | None, upstream: Traits) -> None:
        self.operator = operator
        self.step = step
        self.sink = sink
        self.identity = uuid.uuid4().hex
        self.coder = BatchCoder(operator.shard_schema)
        # Each stateful step upstream holds its output back by up to a millisecond more. The step's
        # input counts them; the rows that shards get need not.
        self.hold = upstream.stage * MILLISECOND
        self.inputs = upstream.inputs
        # A step with a lookahead holds back the watermark of the steps behind it by as much.
        self.lookahead = operator.lookahead

    def setup(self) -> None:
        """Start counting. Beam calls it once a worker."""
        self.counter = StepCounter(self.step)

    def take(self, shard: int, encoded: bytes, cells: _Cells, timestamp: Any) -> Iterator[Any]:
        """Take rows, or the marker of an end of input."""
        batch = self.coder.decode(encoded)
        end = end_of_input(batch)
        if end is not None:
            self._note_end(end, cells.ends)
            if self._ended(cells.ends) and cells.due.read() is None:
                cells.release.set(timestamp)
            return
        wanted: int | None
        cache = _CACHES.setdefault((self.identity, shard), ShardCache())
        cache.note(batch)
        if not batch.num_rows:
            return
        if self.operator.eager:
            known = list(cells.state.read())
            with self.counter.at_work():
                advanced = self.operator.advance(known, [batch], -FOREVER, None, cache.memory)
            yield from self._emit(shard, advanced, cells.state, known)
            wanted = advanced.due
        else:
            cells.rows.add(encoded)
            cache.known(encoded, batch)
            wanted = self.operator.due(batch)
        self._wait(wanted, cells, cache)

    def _wait(self, wanted: int | None, cells: _Cells, cache: ShardCache) -> None:
        """Set the timer for rows of which the first may be released at a time."""
        known = cells.due.read()
        if wanted is None:
            return
        if known is None or wanted < known:
            cells.due.write(wanted)
            self._set(cells, cache, wanted, wanted)
        elif cache.fires is not None and wanted < cache.fires:
            self._set(cells, cache, wanted, known)

    def _set(self, cells: _Cells, cache: ShardCache, fires: int, hold: int) -> None:
        cache.fires = fires if fires > hold else None
        set_timer(
            cells.release,
            *(
                clipped(_milliseconds_up(time) + self.hold)
                for time in (fires, hold - self.lookahead)
            ),
        )

    def advance(self, shard: int, cells: _Cells, timestamp: Any) -> Iterator[Any]:
        """Advance a shard: the watermark has passed the time that it waits for."""
        ended = self._ended(cells.ends)
        time = FOREVER if ended else timestamp.micros - self.hold
        cache = _CACHES.setdefault((self.identity, shard), ShardCache())
        log = cache.decoded(list(cells.rows.read()), self.coder)
        cells.due.clear()
        end = self._end(cells.ends) if ended else None
        state = list(cells.state.read())
        with self.counter.at_work():
            advanced = self.operator.advance(state, log, time, end, cache.memory)
        if advanced.log is not None:
            cells.rows.clear()
            for encoded in cache.encoded(advanced.log, self.coder):
                cells.rows.add(encoded)
        if ended:
            _CACHES.pop((self.identity, shard), None)
        yield from self._emit(shard, advanced, cells.state, state)
        if advanced.due is not None and not ended:
            cells.due.write(advanced.due)
            self._set(cells, cache, cache.soon(advanced.due, self.hold), advanced.due)
        if ended:
            if self.sink is not None:
                self.sink.end(shard)
            cells.ends.clear()
            marker = EndOfInput(f"{self.step}:{shard}", self.operator.shards, end)
            for tag, schema in self.operator.outputs.items():
                yield _tagged(tag, end_marker(schema, marker))

    def _emit(
        self, shard: int, advanced: Advanced, state: Any, known: list[bytes]
    ) -> Iterator[Any]:
        pieces = advanced.state
        kept = len(known) <= len(pieces) and all(
            a is b for a, b in zip(known, pieces, strict=False)
        )
        if not kept:
            state.clear()
        for piece in pieces[len(known) :] if kept else pieces:
            state.add(piece)
        emitted = {
            name: sum(batch.num_rows for tag, batch in advanced.outputs if tag == name)
            for name in ("output", "alarms")
        }
        self.counter.add(**advanced.counts, given=emitted["output"], alarms=emitted["alarms"])
        if self.sink is not None:
            write_units(self.sink, shard, advanced.outputs)
        for tag, batch in advanced.outputs:
            if not tag.startswith(UNIT):
                yield _tagged(tag, batch)

    @staticmethod
    def _note_end(end: EndOfInput, ends: Any) -> None:
        known = json.loads(ends.read() or "{}")
        group = known.setdefault(end.group, {"of": end.of, "parts": {}})
        group["parts"][end.part] = end.watermark
        ends.write(json.dumps(known))

    def _ended(self, ends: Any) -> bool:
        text = ends.read()
        if not text:
            return False
        groups = json.loads(text).values()
        return len(groups) >= self.inputs and all(
            len(group["parts"]) >= int(group["of"]) for group in groups
        )

    @staticmethod
    def _end(ends: Any) -> int | None:
        watermarks = [
            w
            for group in json.loads(ends.read()).values()
            for w in group["parts"].values()
            if w is not None
        ]
        return min(watermarks, default=None)


@dataclass(frozen=True)
class _Cells:
    rows: Any
    state: Any
    due: Any
    ends: Any
    release: Any


def shards_named(step: str) -> type[_Shards]:
    """A DoFn class whose timer is named after the step.

    Beam's local runner fuses stateful steps into one stage, and keeps their timers by name: two
    steps with one name would lose each other's timers.
    """
    rows_spec = BagStateSpec("rows", BytesCoder())
    state_spec = BagStateSpec("state", BytesCoder())
    due_spec = ReadModifyWriteStateSpec("due", VarIntCoder())
    ends_spec = ReadModifyWriteStateSpec("ends", StrUtf8Coder())
    release_spec = TimerSpec(f"release-{step}", TimeDomain.WATERMARK)

    class Advance(_Shards):
        """The shards of one step."""

        def process(
            self,
            element: tuple[int, bytes],
            rows: Any = beam.DoFn.StateParam(rows_spec),
            state: Any = beam.DoFn.StateParam(state_spec),
            due: Any = beam.DoFn.StateParam(due_spec),
            ends: Any = beam.DoFn.StateParam(ends_spec),
            release: Any = beam.DoFn.TimerParam(release_spec),
            timestamp: Any = beam.DoFn.TimestampParam,
        ) -> Iterator[Any]:
            """Take rows of a shard."""
            yield from self.take(*element, _Cells(rows, state, due, ends, release), timestamp)

        @on_timer(release_spec)  # type: ignore[untyped-decorator]
        def fire(
            self,
            shard: Any = beam.DoFn.KeyParam,
            timestamp: Any = beam.DoFn.TimestampParam,
            rows: Any = beam.DoFn.StateParam(rows_spec),
            state: Any = beam.DoFn.StateParam(state_spec),
            due: Any = beam.DoFn.StateParam(due_spec),
            ends: Any = beam.DoFn.StateParam(ends_spec),
            release: Any = beam.DoFn.TimerParam(release_spec),
        ) -> Iterator[Any]:
            """Advance a shard."""
            yield from self.advance(shard, _Cells(rows, state, due, ends, release), timestamp)

    return Advance


def _milliseconds_up(micros: int) -> int:
    return -(-micros // MILLISECOND) * MILLISECOND


def _tagged(tag: str, batch: pa.RecordBatch) -> Any:
    return batch if tag == "output" else beam.pvalue.TaggedOutput(tag, batch)
