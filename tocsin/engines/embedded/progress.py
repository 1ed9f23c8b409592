"""How far a running job has come."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tocsin.engines.embedded.rounds import Rounds
from tocsin.engines.embedded.source_reader import SourceReader
from tocsin.kernels.batch import BEGINNING, FOREVER


@dataclass(frozen=True)
class SplitProgress:
    """A split: the next position, unread messages if known, and its watermark in microseconds."""

    step: str
    partition: int
    position: int
    lag: int | None
    watermark: int | None


@dataclass(frozen=True)
class Progress:
    """A job: its splits, and counts by step. left: messages of a bounded input, if known."""

    splits: list[SplitProgress]
    counts: dict[str, dict[str, int]]
    watermark: int | None
    read: int
    left: int | None

    @classmethod
    def of(cls, rounds: Rounds, readers: list[SourceReader]) -> Progress:
        """The progress of a job now. readers: those of the rounds."""
        splits = [
            SplitProgress(
                reader.name, one.split.partition, one.next, one.lag, _known(one.watermark)
            )
            for reader in readers
            for one in reader.readers
        ]
        counts = rounds.counts.by_step()
        read = sum(counts.get(reader.name, {}).get("read", 0) for reader in readers)
        stops = [(one.split.stop, one.next) for r in readers for one in r.readers]
        left = (
            None
            if any(stop is None for stop, _ in stops)
            else sum(max(stop - at, 0) for stop, at in stops if stop is not None)
        )
        return cls(splits, counts, _known(rounds.watermark), read, left)

    def as_dict(self) -> dict[str, Any]:
        """The progress as plain values, for JSON."""
        return asdict(self)


def _known(time: int) -> int | None:
    return time if BEGINNING < time < FOREVER else None
