"""A step with keyed state: its shards in memory, advanced by event time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.nodes import Emitted
from tocsin.kernels.batch import FOREVER, offsets_of, with_offsets
from tocsin.parts.operator import Advanced, Memory, Operator
from tocsin.parts.sink import Sink
from tocsin.steps.write_files.file_operator import UNIT, write_units


@dataclass
class Shard:
    """The state and rows of one shard.

    state: pieces of bytes, as the operator gave them. log: rows that it has not used up. memory:
    what may be forgotten. due: the next time at which it wants to be advanced, or None.
    """

    state: list[bytes] = field(default_factory=list)
    log: list[pa.RecordBatch] = field(default_factory=list)
    memory: Memory = field(default_factory=dict)
    due: int | None = None

    def wait(self, wanted: int | None) -> None:
        """Be advanced at a time, if that is before the time that is known."""
        if wanted is not None:
            self.due = wanted if self.due is None else min(wanted, self.due)


class KeyedNode:
    """An operator and its shards. sink: where its units of output go, for a step that writes."""

    def __init__(
        self, name: str, operator: Operator, counts: Counts, sink: Sink | None = None
    ) -> None:
        self.name = name
        self.operator = operator
        self.sink = sink
        self.outputs = dict(operator.outputs)
        self.lookahead = operator.lookahead
        self.shards: dict[int, Shard] = {}
        self._counts = counts

    def take(self, batch: pa.RecordBatch) -> Emitted:
        """Give each shard its rows. An eager operator is advanced by them."""
        offsets = offsets_of(batch)
        with self._counts.at_work(self.name):
            routed = self.operator.route(with_offsets(batch, offsets) if offsets else batch)
        self._counts.add(self.name, read=batch.num_rows, **routed.counts)
        yield from routed.outputs.items()
        for number, part in routed.by_shard:
            if not part.num_rows:
                continue
            shard = self.shards.setdefault(number, Shard())
            if self.operator.eager:
                yield from self._advance(number, shard, [part], -FOREVER, None)
            else:
                shard.log.append(part)
                shard.wait(self.operator.due(part))

    def advance(self, time: int, end: int | None) -> Emitted:
        """Advance the shards that are due; at the end of the input all of them, for the last time.

        A shard without rows has an end, too: a table of sensors may name some that never reported.
        """
        if time >= FOREVER:
            for number in range(self.operator.shards):
                shard = self.shards.get(number) or Shard()
                yield from self._advance(number, shard, shard.log, time, end)
                if self.sink is not None:
                    self.sink.end(number)
            self.shards = {}
            return
        for number, shard in sorted(self.shards.items()):
            while shard.due is not None and shard.due <= time:
                shard.due = None
                yield from self._advance(number, shard, shard.log, time, end)

    def _advance(
        self, number: int, shard: Shard, log: list[pa.RecordBatch], time: int, end: int | None
    ) -> Emitted:
        with self._counts.at_work(self.name):
            advanced = self.operator.advance(shard.state, log, time, end, shard.memory)
        shard.state = advanced.state
        shard.wait(advanced.due)
        if advanced.log is not None and not self.operator.eager:
            shard.log = list(advanced.log)
        self._count(advanced)
        if self.sink is not None:
            with self._counts.at_work(self.name):
                write_units(self.sink, number, advanced.outputs)
        for name, batch in advanced.outputs:
            if not name.startswith(UNIT):
                yield name, batch

    def _count(self, advanced: Advanced) -> None:
        emitted = {
            count: sum(batch.num_rows for name, batch in advanced.outputs if name == output)
            for count, output in (("given", "output"), ("alarms", "alarms"))
        }
        self._counts.add(self.name, **advanced.counts, **emitted)

    def flush(self) -> None:
        """Each advance has waited for its units."""
