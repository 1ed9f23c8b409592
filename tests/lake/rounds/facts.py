"""What a journal says about a version: rows that must be there, and rows that must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.lake.rounds.stage import Event
from tests.lake.rounds.topic import MOMENTS, SHARDS, Reading

_ALL = [MOMENTS] * SHARDS


@dataclass(frozen=True)
class Removal:
    """Rows that an erasure or a retention removes, by shard.

    surely: the last moments that it saw committed when it began; without an end, none.
    perhaps: the last moments that were committed when it ended; without an end, all.
    begins_at: where the journal says that it began.
    """

    key: str | None
    day: int | None
    surely: list[int]
    perhaps: list[int]
    begins_at: int

    def has(self, one: Reading) -> bool:
        """Whether it is meant for a row."""
        return one.key == self.key if self.day is None else one.day <= self.day

    def is_sure(self, one: Reading) -> bool:
        """Whether the row is gone."""
        return self.has(one) and one.moment <= self.surely[one.partition]

    def is_possible(self, one: Reading) -> bool:
        """Whether the row may be gone."""
        return self.has(one) and one.moment <= self.perhaps[one.partition]


class Facts:
    """The facts of a journal."""

    def __init__(self, events: list[Event]) -> None:
        self.flushed = [-1] * SHARDS
        for one in events:
            if one["what"] == "flushed":
                at = one["shard"]
                self.flushed[at] = max(self.flushed[at], one["moment"])
        self._left_out = {
            key for one in events if one["what"] == "backfill" for key in one["without"]
        }
        self.removals = list(_removals(events))
        self._last_backfill = _end_of_backfills(events)

    def may_lack(self, one: Reading) -> bool:
        """Whether a row may be gone."""
        left_out = one.key in self._left_out
        return left_out or any(removal.is_possible(one) for removal in self.removals)

    def must_lack(self, one: Reading, later: Facts) -> bool:
        """Whether a row must be gone. later: facts at the end of the look at the lake.

        A backfill may bring rows of days that are past their retention; the next one removes them.
        Its commit lies before its end in the journal, and a retention's after its beginning.
        """
        for removal in self.removals:
            may_return = removal.day is not None and removal.begins_at <= later._last_backfill
            if removal.is_sure(one) and not may_return:
                return True
        return False


def _removals(events: list[Event]) -> Iterator[Removal]:
    """Each removal that has begun. The end of one ends all that began for the same rows."""
    for at, begun in enumerate(events):
        if begun["what"] not in {"erase", "retain"}:
            continue
        about = (begun.get("key"), begun.get("day"))
        for ended in events[at + 1 :]:
            same = (ended.get("key"), ended.get("day")) == about
            if same and ended["what"] in {"erased", "retained"}:
                yield Removal(*about, begun["marks"], ended["marks"], at)
                break
        else:
            yield Removal(*about, [-1] * SHARDS, _ALL, at)


def _end_of_backfills(events: list[Event]) -> int:
    """Where the last backfill ended; after all events if one was killed or still runs."""
    begun = [one["rule"] for one in events if one["what"] == "backfill"]
    ended = {"backfilled", "refused"}
    ends = {one["rule"]: at for at, one in enumerate(events) if one["what"] in ended}
    return max((ends.get(rule, len(events)) for rule in begun), default=-1)
