"""A KeyedStep on Beam: rows are routed to shards, state is one block a shard, one event-time timer a shard."""

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
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import typehints
from apache_beam.utils.windowed_value import WindowedValue

from tocsin.engines.beam.io.batch_coder import BatchCoder, BatchType, schema_of
from tocsin.engines.beam.io.restrictions import clipped
from tocsin.engines.beam.operators.metrics import StepCounter
from tocsin.engines.beam.operators.timers import set_timer
from tocsin.kernels.batch import (
    FOREVER,
    EndOfInput,
    Traits,
    end_marker,
    end_of_input,
    merge_offsets,
    no_rows,
    offsets_of,
    traits,
    with_offsets,
)
from tocsin.parts.sink import Sink
from tocsin.steps.state.operator import Advanced, KeyedStep, Memory, Routed
from tocsin.steps.state.progress import RESULTS, reached_by, reached_of, with_reached
from tocsin.steps.write_files.file_operator import UNIT

# Rows that a worker gathers before it folds and routes them: larger batches make fewer, larger messages.
GATHERED = 100_000
MILLISECOND, SECOND = 1_000, 1_000_000
# A partition that has come so much further in one batch has jumped.
FAR = 60 * SECOND


class _Route(beam.DoFn):  # type: ignore[misc]
    """Gathers a bundle's batches and sends them to shards."""

    def __init__(self, keyed: KeyedStep, step: str) -> None:
        self.keyed = keyed
        self.step = step

    def setup(self) -> None:
        self.counter = StepCounter(self.step)
        self.coder = BatchCoder(self.keyed.shard_schema)
        self.told: dict[str, int] = {}

    def start_bundle(self) -> None:
        self.gathered: list[pa.RecordBatch] = []
        self.earliest: Any = None

    def process(
        self, batch: pa.RecordBatch, timestamp: Any = beam.DoFn.TimestampParam
    ) -> Iterator[Any]:
        end = end_of_input(batch)
        if end is not None:
            yield from self._send()
            marker = self.coder.encode(end_marker(self.keyed.shard_schema, end))
            for shard in range(self.keyed.shards):
                yield shard, marker
            return
        if not batch.num_rows:
            return
        self.earliest = timestamp if self.earliest is None else min(self.earliest, timestamp)
        self.gathered.append(batch)
        if sum(b.num_rows for b in self.gathered) >= GATHERED:
            yield from self._send()

    def finish_bundle(self) -> Iterator[Any]:
        earliest = self.earliest
        for value in self._send():
            if isinstance(value, beam.pvalue.TaggedOutput):
                yield beam.pvalue.TaggedOutput(
                    value.tag, WindowedValue(value.value, earliest, (GlobalWindow(),))
                )
            else:
                yield WindowedValue(value, earliest, (GlobalWindow(),))

    def _send(self) -> Iterator[Any]:
        if not self.gathered:
            return
        schema = self.gathered[0].schema
        known = reached_of(self.gathered)
        offsets = merge_offsets([offsets_of(batch) for batch in self.gathered])
        rows = pa.concat_batches(
            [batch.replace_schema_metadata(schema.metadata) for batch in self.gathered]
        )
        self.gathered, self.earliest = [], None
        with self.counter.at_work():
            routed: Routed = self.keyed.route(with_offsets(rows, offsets) if offsets else rows)
        self.counter.add(read=rows.num_rows, **routed.counts)
        for shard, part in routed.by_shard:
            yield shard, self.coder.encode(with_reached(part, known))
        if any(time >= self.told.get(partition, time) + FAR for partition, time in known.items()):
            # Shards without rows here would else take a jump in time window by window.
            nothing = self.coder.encode(with_reached(no_rows(self.keyed.shard_schema), known))
            for shard in set(range(self.keyed.shards)) - {shard for shard, _ in routed.by_shard}:
                yield shard, nothing
        self.told |= known
        for tag, batch in routed.outputs.items():
            yield beam.pvalue.TaggedOutput(tag, batch)


class _Held:
    """What a worker knows of a shard besides its state: batches by the bytes that they were decoded from, and memory."""

    def __init__(self) -> None:
        self.memory: Memory = {}
        # When the timer fires, where that is later than the shard wants.
        self.fires: int | None = None
        self._reached: dict[str, int] = {}
        self._batches: dict[int, tuple[bytes, pa.RecordBatch]] = {}

    def note(self, batch: pa.RecordBatch) -> None:
        """How far the partitions of its rows have come."""
        for partition, watermark in reached_by(batch).items():
            self._reached[partition] = max(self._reached.get(partition, watermark), watermark)

    def soon(self, due: int, hold: int) -> int:
        """When a shard that wants to be advanced at `due` had better be: once, at the last whole second that all have passed.

        hold: how much later a timer fires. It does when the watermark is behind it, which at the very time it is not.
        """
        passed = (
            time if of == RESULTS else time - hold - MILLISECOND
            for of, time in self._reached.items()
        )
        return max(due, min(passed, default=due) // SECOND * SECOND)

    def known(self, encoded: bytes, batch: pa.RecordBatch) -> None:
        """These bytes will be in the log."""
        self._batches[id(encoded)] = encoded, batch

    def decoded(self, log: list[bytes], coder: BatchCoder) -> list[pa.RecordBatch]:
        """The log's batches. The runner's cache gives the same objects again, so that most are known."""
        known, self._batches = self._batches, {}
        for encoded in log:
            self._batches[id(encoded)] = known.get(id(encoded)) or (encoded, coder.decode(encoded))
        return [self._batches[id(encoded)][1] for encoded in log]

    def encoded(self, log: list[pa.RecordBatch], coder: BatchCoder) -> list[bytes]:
        """The log's batches as bytes."""
        known = {id(batch): encoded for encoded, batch in self._batches.values()}
        pieces = [known.get(id(batch)) or coder.encode(batch) for batch in log]
        self._batches = {
            id(encoded): (encoded, batch) for encoded, batch in zip(pieces, log, strict=True)
        }
        return pieces


# By step and shard, for all instances of a step in this process: a runner makes several and uses them in turn.
_HELD: dict[tuple[str, int], _Held] = {}


class _Shards(beam.DoFn):  # type: ignore[misc]
    """What a shard does when rows come and when its timer fires; the state cells come from a subclass."""

    def __init__(self, keyed: KeyedStep, step: str, sink: Sink | None, upstream: Traits) -> None:
        self.keyed = keyed
        self.step = step
        self.sink = sink
        self.identity = uuid.uuid4().hex
        self.coder = BatchCoder(keyed.shard_schema)
        # Each stateful step upstream holds its output back by up to a millisecond more. That is said of the step's input: what
        # shards get need not say it.
        self.hold = upstream.stage * MILLISECOND
        self.inputs = upstream.inputs
        # A step that waits for what comes after a row holds back those that follow it for so long.
        self.lookahead: int = getattr(keyed, "lookahead", 0)

    def setup(self) -> None:
        self.counter = StepCounter(self.step)

    def take(self, shard: int, encoded: bytes, cells: _Cells, timestamp: Any) -> Iterator[Any]:
        """Rows have come, or the marker of an end."""
        batch = self.coder.decode(encoded)
        end = end_of_input(batch)
        if end is not None:
            self._note_end(end, cells.ends)
            if self._ended(cells.ends) and cells.due.read() is None:
                cells.release.set(timestamp)
            return
        wanted: int | None
        held = _HELD.setdefault((self.identity, shard), _Held())
        held.note(batch)
        if not batch.num_rows:
            return
        if self.keyed.eager:
            known = list(cells.state.read())
            with self.counter.at_work():
                advanced = self.keyed.advance(known, [batch], -FOREVER, None, held.memory)
            yield from self._give(shard, advanced, cells.state, known)
            wanted = advanced.due
        else:
            cells.rows.add(encoded)
            held.known(encoded, batch)
            wanted = self.keyed.due(batch)
        self._wait(wanted, cells, held)

    def _wait(self, wanted: int | None, cells: _Cells, held: _Held) -> None:
        """Rows have come, of which the first may be released at a time."""
        known = cells.due.read()
        if wanted is None:
            return
        if known is None or wanted < known:
            cells.due.write(wanted)
            self._set(cells, held, wanted, wanted)
        elif held.fires is not None and wanted < held.fires:
            self._set(cells, held, wanted, known)

    def _set(self, cells: _Cells, held: _Held, fires: int, hold: int) -> None:
        held.fires = fires if fires > hold else None
        set_timer(
            cells.release,
            *(
                clipped(_milliseconds_up(time) + self.hold)
                for time in (fires, hold - self.lookahead)
            ),
        )

    def advance(self, shard: int, cells: _Cells, timestamp: Any) -> Iterator[Any]:
        """The watermark has passed what the shard waits for."""
        ended = self._ended(cells.ends)
        time = FOREVER if ended else timestamp.micros - self.hold
        held = _HELD.setdefault((self.identity, shard), _Held())
        log = held.decoded(list(cells.rows.read()), self.coder)
        cells.due.clear()
        end = self._end(cells.ends) if ended else None
        state = list(cells.state.read())
        with self.counter.at_work():
            advanced = self.keyed.advance(state, log, time, end, held.memory)
        if advanced.log is not None:
            cells.rows.clear()
            for encoded in held.encoded(advanced.log, self.coder):
                cells.rows.add(encoded)
        if ended:
            _HELD.pop((self.identity, shard), None)
        yield from self._give(shard, advanced, cells.state, state)
        if advanced.due is not None and not ended:
            cells.due.write(advanced.due)
            self._set(cells, held, held.soon(advanced.due, self.hold), advanced.due)
        if ended:
            cells.ends.clear()
            marker = EndOfInput(f"{self.step}:{shard}", self.keyed.shards, end)
            for tag, schema in self.keyed.outputs.items():
                yield _tagged(tag, end_marker(schema, marker))

    def _give(
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
        given = {
            name: sum(batch.num_rows for tag, batch in advanced.outputs if tag == name)
            for name in ("output", "alarms")
        }
        self.counter.add(**advanced.counts, given=given["output"], alarms=given["alarms"])
        for tag, batch in advanced.outputs:
            if tag.startswith(UNIT):
                assert self.sink is not None
                start, _, rest = tag.removeprefix(UNIT).partition(".")
                self.sink.write(batch, f"{start}.s{shard:03d}.{rest}")
            else:
                yield _tagged(tag, batch)
        if self.sink is not None:
            self.sink.flush()

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
        reached = [
            w
            for group in json.loads(ends.read()).values()
            for w in group["parts"].values()
            if w is not None
        ]
        return min(reached) if reached else None


@dataclass(frozen=True)
class _Cells:
    rows: Any
    state: Any
    due: Any
    ends: Any
    release: Any


def _advance(step: str) -> type[_Shards]:
    """A DoFn class whose timer is named after the step.

    Beam's local runner fuses stateful steps into one stage and keeps their timers in one place by the timer's name: two
    steps with one name would lose each other's timers.
    """
    rows_spec = BagStateSpec("rows", BytesCoder())
    state_spec = BagStateSpec("state", BytesCoder())
    due_spec = ReadModifyWriteStateSpec("due", VarIntCoder())
    ends_spec = ReadModifyWriteStateSpec("ends", StrUtf8Coder())
    release_spec = TimerSpec(f"release-{step}", TimeDomain.WATERMARK)

    class Advance(_Shards):
        """One shard of a keyed step."""

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
            yield from self.advance(shard, _Cells(rows, state, due, ends, release), timestamp)

    return Advance


def _milliseconds_up(micros: int) -> int:
    return -(-micros // MILLISECOND) * MILLISECOND


def _tagged(tag: str, batch: pa.RecordBatch) -> Any:
    return batch if tag == "output" else beam.pvalue.TaggedOutput(tag, batch)


class Keyed(beam.PTransform):  # type: ignore[misc]
    """A step with state over a collection of batches; with a sink, its units are written."""

    def __init__(self, keyed: KeyedStep, step: str, sink: Sink | None = None) -> None:
        super().__init__()
        self.keyed = keyed
        self.step = step
        self.sink = sink

    def expand(self, collection: Any) -> dict[str, Any]:
        """Collections by output name."""
        upstream = traits(schema_of(collection))
        tags = [tag for tag in self.keyed.outputs if tag != "output"]
        routed = collection | "Route" >> beam.ParDo(_Route(self.keyed, self.step)).with_outputs(
            *tags, main="shards"
        )
        # Bytes of batches, which a shard keeps as they are.
        routed.shards.element_type = typehints.Tuple[int, bytes]
        advance = _advance(self.step)(self.keyed, self.step, self.sink, upstream)
        advanced = routed.shards | "Advance" >> beam.ParDo(advance).with_outputs(
            *tags, main="output"
        )
        # Beam does not type tagged outputs by itself. Late rows are told from the others on the way to the shards.
        advanced.output.element_type = BatchType(
            self.keyed.outputs.get("output", self.keyed.shard_schema)
        )
        for tag in tags:
            routed[tag].element_type = advanced[tag].element_type = BatchType(
                self.keyed.outputs[tag]
            )
        sides = {
            "output": advanced.output,
            **{tag: (routed if tag == "late" else advanced)[tag] for tag in tags},
        }
        return {tag: sides[tag] for tag in self.keyed.outputs}
