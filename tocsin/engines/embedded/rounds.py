"""A running job: each round reads rows, sends them through all steps, and advances event time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from tocsin.engines.embedded.assembly import Assembly, Output, Place
from tocsin.engines.embedded.counts import Counts
from tocsin.kernels.batch import BEGINNING, FOREVER, merge_offsets, offsets_of, with_offsets
from tocsin.steps.state.union import united

Batches = defaultdict[Output, list[pa.RecordBatch]]


class Reader(Protocol):
    """Reads one source. watermark, end: as of `SourceReader`."""

    name: str

    @property
    def watermark(self) -> int:
        """No row that follows is behind it, except late ones. FOREVER at the end."""

    @property
    def end(self) -> int | None:
        """The least watermark that a split with rows has reached; None without rows."""

    def read(self, most: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Batches by output name, about `most` rows."""

    def close(self) -> None:
        """Let go of what it uses."""


@dataclass(frozen=True)
class Reached:
    """How far an output has come in event time. end: as in `Node.advance`."""

    time: int
    end: int | None = None


class Rounds:
    """A job, its sources and its progress.

    watched: outputs whose batches `seen` collects, for tests of jobs and for backtests.
    """

    def __init__(
        self,
        assembly: Assembly,
        readers: Sequence[Reader],
        counts: Counts,
        watched: set[Output] | None = None,
    ) -> None:
        self.assembly = assembly
        self.readers = readers
        self.counts = counts
        self.seen: Batches = defaultdict(list)
        self._watched = watched or set()
        # Steps that were advanced to the end of their input.
        self._closed: set[str] = set()

    @property
    def has_ended(self) -> bool:
        """Whether every source was read to its end, and every step advanced to it."""
        return len(self._closed) == len(self.assembly.places) and self._sources_ended()

    def _sources_ended(self) -> bool:
        return all(reader.watermark >= FOREVER for reader in self.readers)

    @property
    def watermark(self) -> int:
        """The least watermark of the sources."""
        return min((one.watermark for one in self.readers), default=FOREVER)

    def play(self, rows: int) -> int:
        """Read about `rows` rows, and send them through all steps. Returns the number read."""
        given: Batches = defaultdict(list)
        waiting = [reader for reader in self.readers if reader.watermark < FOREVER]
        # Several sources advance together, so that none fills the state of a join.
        for reader in sorted(waiting, key=lambda one: one.watermark):
            for name, batch in reader.read(max(rows // len(waiting), 1)):
                given[reader.name, name].append(batch)
        count = sum(batch.num_rows for batches in given.values() for batch in batches)
        self._pass(given)
        return int(count)

    def _pass(self, given: Batches) -> None:
        """Send rows through the steps, in the order of the job."""
        reached = {one.name: Reached(one.watermark, one.end) for one in self.readers}
        for place in self.assembly.places:
            name, node = place.node.name, place.node
            time, end = self._input_of(place, reached)
            rows = self._rows(place, given)
            if rows is not None:
                for output, batch in node.take(rows):
                    given[name, output].append(batch)
            if name not in self._closed and time > BEGINNING:
                for output, batch in node.advance(time, end):
                    given[name, output].append(batch)
                if time >= FOREVER:
                    self._closed.add(name)
            reached[name] = Reached(
                time if time in (BEGINNING, FOREVER) else time - node.lookahead, end
            )
        for one in self._watched & given.keys():
            self.seen[one] += given[one]

    @staticmethod
    def _input_of(place: Place, reached: dict[str, Reached]) -> tuple[int, int | None]:
        """The time of a step's input: the least of its inputs' times, and the least of the ends."""
        inputs = [reached[name] for _, (name, _) in place.inputs]
        ends = [one.end for one in inputs if one.end is not None]
        return min(one.time for one in inputs), min(ends, default=None)

    @staticmethod
    def _rows(place: Place, given: Batches) -> pa.RecordBatch | None:
        """The rows of a step's inputs as one batch, or None."""
        batches = [
            united(batch, side, place.schema) if place.is_united else batch
            for side, source in place.inputs
            for batch in given.get(source, ())
            if batch.num_rows
        ]
        if not batches:
            return None
        offsets = merge_offsets([offsets_of(batch) for batch in batches])
        metadata = place.schema.metadata
        plain = [batch.replace_schema_metadata(metadata) for batch in batches]
        rows = plain[0] if len(plain) == 1 else pa.concat_batches(plain)
        return with_offsets(rows, offsets) if offsets else rows

    def flush(self) -> None:
        """Wait until everything that was written is durable."""
        for place in self.assembly.places:
            place.node.flush()

    def close(self) -> None:
        """Stop the sources."""
        for reader in self.readers:
            reader.close()


def pause(began: float, linger: float) -> None:
    """Wait for the rest of a source's `linger`, seconds, after a round without rows."""
    time.sleep(max(began + linger - time.monotonic(), 0))
