"""Reads all splits of a source, the one that is furthest behind first."""

from __future__ import annotations

import pickle
import queue
import threading
import time
from collections.abc import Iterator

import pyarrow as pa

from tocsin.engines.embedded.counts import Counts
from tocsin.engines.embedded.split_reader import Position, SplitReader
from tocsin.engines.reading.judged_rows import Judge, Judged
from tocsin.kernels.batch import BEGINNING, FOREVER
from tocsin.kernels.time.durations import parse_duration
from tocsin.parts.source import Source, Split

DISCOVERY_INTERVAL = 0.25
"""Seconds between two searches for new splits. Splits that nobody has seen yet hold the watermark
back, so it is this much behind."""
_SILENCE = 5.0
"""Seconds without an answer to a search after which the broker counts as away."""
AHEAD = 60_000_000
"""Microseconds of event time by which a live split is read ahead of those that are behind."""


class SourceReader:
    """The splits of one source.

    positions: of a checkpoint, or empty for a new start. discovered: as `SourceReader.discovered`.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        counts: Counts,
        *,
        live: bool,
        positions: list[Position],
        discovered: int = BEGINNING,
    ) -> None:
        self.name = name
        self.source = source
        self._counts = counts
        self._judge = Judge(source, name)
        self._live = live
        idle = getattr(source, "idle_after", None)
        self._idle_after = parse_duration(idle) if idle and live else None
        known = positions or [Position(split, split.start) for split in source.splits(live)]
        self.readers = [self._reader(position) for position in known]
        splits = [one.split for one in known]
        self._discovery = Discovery(source, splits, discovered) if live else None
        self._piece: int | None = None

    def _reader(self, position: Position) -> SplitReader:
        return SplitReader(self._judge, position, idle_after=self._idle_after)

    @property
    def watermark(self) -> int:
        """No row that follows is behind it, except late ones. FOREVER at the end."""
        open_splits = [one.watermark for one in self.readers if not one.has_ended]
        if self._discovery is not None:
            open_splits.append(self._discovery.watermark)
        return min(open_splits, default=FOREVER)

    @property
    def end(self) -> int | None:
        """The least watermark that a split with rows has reached; None without rows."""
        reached = [one.reached for one in self.readers]
        return min((moment for moment in reached if moment is not None), default=None)

    @property
    def discovered(self) -> int:
        """The watermark of splits that nobody has seen yet, or BEGINNING."""
        return BEGINNING if self._discovery is None else self._discovery.watermark

    def positions(self) -> list[Position]:
        """Where its splits are."""
        return [one.position() for one in self.readers]

    def limit(self, rows: int, wait: float) -> None:
        """Limit a live source: rows of all splits at once, and seconds to wait for them."""
        shared = max(len(self.readers), 1)
        self.source._wait = wait / shared  # noqa: SLF001 - only an engine sets a source's limits
        self.source._piece = max(rows // shared, 50)  # noqa: SLF001 - as above

    def read(self, most: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Batches by output name: about `most` rows, or what a live source has at present."""
        self._add_discovered()
        count = 0
        for reader in self._turns():
            with self._counts.at_work(self.name):
                judged = reader.read()
            if judged is not None:
                count += judged.rows.num_rows
                yield from self._emitted(judged)
            # A broker that does not answer must not keep a round from its end.
            is_waiting = judged is None and not self._live and not reader.has_ended
            if count >= most or is_waiting:
                return

    def _emitted(self, judged: Judged) -> Iterator[tuple[str, pa.RecordBatch]]:
        self._counts.add(self.name, **judged.counts)
        if judged.rows.num_rows:
            yield "output", judged.rows
        if judged.rejects is not None:
            yield "rejects", judged.rejects

    def _turns(self) -> Iterator[SplitReader]:
        """The splits in the order in which they are read.

        With an end, always the one that is furthest behind: then steps hold few rows that are
        ahead. Live, each that is not far ahead of one that is behind has a turn.
        """
        if not self._live:
            while waiting := [one for one in self.readers if not one.has_ended]:
                yield min(waiting, key=lambda one: one.watermark)
            return
        slowest = min((one.watermark for one in self.readers if one.is_behind), default=FOREVER)
        for reader in sorted(self.readers, key=lambda one: one.watermark):
            if not reader.has_ended and reader.watermark <= slowest + AHEAD:
                yield reader

    def _add_discovered(self) -> None:
        if self._discovery is None:
            return
        for split, watermark in self._discovery.found():
            self.readers.append(self._reader(Position(split, split.start, watermark=watermark)))
        for reader in self.readers:
            reader.heed(self._discovery.watermark, self._discovery.is_away)

    def close(self) -> None:
        """Stop looking for new splits."""
        if self._discovery is not None:
            self._discovery.close()


class Discovery:
    """Looks for new splits of a live source, on a thread of its own.

    A split that did not exist a moment ago holds no reading older than that moment minus
    `out_of_orderness`: this is the watermark of a new split. A reading behind it would be late.

    known: splits in the order in which they were found. watermark: that of the last checkpoint.
    """

    def __init__(self, source: Source, known: list[Split], watermark: int = BEGINNING) -> None:
        self.watermark = watermark
        # A copy with clients of its own, because this thread uses them.
        self._source: Source = pickle.loads(pickle.dumps(source))  # noqa: S301 - our own bytes
        # The last split is of the present topic. Others may be of topics that had its name before.
        self._topic_id = known[-1].topic_id if known else None
        self._known = sum(split.topic_id == self._topic_id for split in known)
        self._former = {split.topic_id for split in known} - {self._topic_id}
        self._answers: queue.SimpleQueue[tuple[int, list[Split] | Exception]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        # Monotonic time of the last answer; 0 after a search without one.
        self._answered = time.monotonic()
        self._thread = threading.Thread(target=self._look, name="discovery", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            wait = DISCOVERY_INTERVAL
            moment = int(time.time() * 1_000) * 1_000 - self._source.out_of_orderness
            try:
                found = self._source.added(self._known, self._topic_id) if self._known else []
            except Exception as error:  # noqa: BLE001 - the engine's thread raises it
                self._answers.put((moment, error))
                return
            self._answered = 0.0 if found is None else time.monotonic()
            if found is None:
                continue
            found = [split for split in found if split.topic_id not in self._former]
            self._note(found)
            self._answers.put((moment, found))

    def _note(self, found: list[Split]) -> None:
        if not found:
            return
        if self._topic_id is None or self._topic_id == found[0].topic_id:
            self._known += len(found)
        else:
            # Another topic has taken the name of the one before.
            self._former.add(self._topic_id)
            self._known = len(found)
        self._topic_id = found[0].topic_id

    @property
    def is_away(self) -> bool:
        """Whether the broker does not answer: a split without readings may have some."""
        return time.monotonic() > self._answered + _SILENCE

    def found(self) -> Iterator[tuple[Split, int]]:
        """New splits, and the watermark of each. Raises the source's Failure."""
        while not self._answers.empty():
            moment, answer = self._answers.get()
            if isinstance(answer, Exception):
                raise answer
            before = self.watermark
            self.watermark = max(self.watermark, moment)
            for split in answer:
                yield split, before

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
