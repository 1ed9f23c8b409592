"""The clock of a partition whose devices stamp their own messages: one wrong clock does not set it.

The clock is the greatest event time that counts. It depends only on the rows in offset order: not
on batch boundaries, and not on the time of reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.kernels.batch import BEGINNING, FOREVER, Booleans, Int64s
from tocsin.kernels.compiled import compiled, kernel

FIRST = 8
"""Messages of a partition before it has a clock. No row of them is late."""
MAJORITY = 100
"""By how many messages those ahead must outnumber the others before the clock follows them."""

# Fields of the state that `_follow` reads and writes.
_TIME, _VOTES, _PENDING, _MESSAGES, _OFFSET, _LOW, _HIGH, _AHEAD = range(8)
_FIELDS = 8


@dataclass(frozen=True)
class PartitionClock:
    """What a partition's clock depends on, between two batches. Times are microseconds.

    Attributes:
        time: the greatest event time that counts; BEGINNING in the first FIRST messages.
        state: further fields of the state, and the least and greatest event times of each of the
            first messages. Empty at the beginning of the partition.
    """

    time: int = BEGINNING
    state: tuple[int, ...] = ()

    @classmethod
    def at(cls, time: int) -> PartitionClock:
        """A clock that is set: FIRST messages agreed on it."""
        return cls(time, (0, FOREVER, FIRST, -1, FOREVER, BEGINNING, 1, *[0] * (2 * FIRST)))

    @property
    def is_contested(self) -> bool:
        """Whether the last message is ahead, or more of the last messages are than not."""
        if self.time <= BEGINNING:
            return False
        votes, offset, ahead = (self.state[at - 1] for at in (_VOTES, _OFFSET, _AHEAD))
        return votes > 0 or (offset >= 0 and bool(ahead))

    def follow(
        self, times: Int64s, offsets: Int64s, max_ahead: int
    ) -> tuple[Int64s, Booleans, PartitionClock]:
        """The clock before each row, whether each row is ahead of it, and the clock afterwards.

        A row that is ahead by more than `max_ahead` does not advance the clock. Each message has
        one vote, by all its rows, which counts from the next message on.

        Args:
            times: event times of accepted rows in offset order.
            offsets: the offset of each row's message.
            max_ahead: microseconds.
        """
        state, first = self._arrays()
        before, ahead = np.empty(len(times), np.int64), np.zeros(len(times), np.bool_)
        _follow(times, offsets, max_ahead, state, first, before, ahead)
        fields = [*state[1:].tolist(), *first.ravel().tolist()]
        return before, ahead, PartitionClock(int(state[_TIME]), tuple(fields))

    def best(self, max_ahead: int) -> int:
        """The clock, or in the first messages what it would be if no more came.

        BEGINNING for a partition without rows.
        """
        if self.time > BEGINNING or not self.state:
            return self.time
        state, first = self._arrays()
        count = int(state[_MESSAGES])
        if count < FIRST and state[_OFFSET] >= 0:
            first[:, count] = state[_LOW], state[_HIGH]
            count += 1
        return int(_agreed(first, count, max_ahead)) if count else BEGINNING

    def _arrays(self) -> tuple[Int64s, Int64s]:
        if not self.state:
            state = np.array([BEGINNING, 0, FOREVER, 0, -1, FOREVER, BEGINNING, 1], np.int64)
            return state, np.zeros((2, FIRST), np.int64)
        fields = np.array([self.time, *self.state], np.int64)
        return fields[:_FIELDS].copy(), fields[_FIELDS:].reshape(2, FIRST).copy()


@kernel
def _agreed(first: Int64s, count: int, max_ahead: int) -> int:
    """The greatest event time that is not ahead of the median of the first messages.

    first: their least and greatest event times, of shape (2, FIRST). count: how many there are.
    """
    limit = np.sort(first[0, :count])[(count - 1) // 2] + max_ahead
    agreed = np.int64(BEGINNING)
    for at in range(count):
        for time in (first[0, at], first[1, at]):
            if time <= limit and time > agreed:
                agreed = time
    return int(agreed)


@kernel
def _vote(state: Int64s, first: Int64s, max_ahead: int) -> None:
    """Count the message that has ended."""
    if state[_MESSAGES] < FIRST:
        at = state[_MESSAGES]
        first[0, at], first[1, at] = state[_LOW], state[_HIGH]
        state[_MESSAGES] = at + 1
        if at + 1 == FIRST:
            state[_TIME] = _agreed(first, FIRST, max_ahead)
    elif state[_AHEAD]:
        state[_VOTES] += 1
        state[_PENDING] = min(state[_PENDING], state[_LOW])
        if state[_VOTES] >= MAJORITY:
            # The earliest of the times that were ahead: those that are still ahead vote again.
            state[_TIME] = max(state[_TIME], state[_PENDING])
            state[_VOTES], state[_PENDING] = 0, FOREVER
    elif state[_VOTES]:
        state[_VOTES] -= 1
        if not state[_VOTES]:
            state[_PENDING] = FOREVER


@compiled
def _follow(
    times: Int64s,
    offsets: Int64s,
    max_ahead: int,
    state: Int64s,
    first: Int64s,
    before: Int64s,
    ahead: Booleans,
) -> None:
    """The loop of `PartitionClock.follow`. It writes `state`, `first`, `before` and `ahead`."""
    # Local variables are faster than the fields of the state, which only a vote needs.
    clock, offset, is_ahead = state[_TIME], state[_OFFSET], state[_AHEAD]
    low, high, is_set = state[_LOW], state[_HIGH], state[_MESSAGES] >= FIRST
    for row in range(len(times)):
        if offsets[row] != offset:
            if offset >= 0 and (is_ahead or state[_VOTES] or not is_set):
                state[_TIME], state[_AHEAD], state[_LOW], state[_HIGH] = clock, is_ahead, low, high
                _vote(state, first, max_ahead)
                clock, is_set = state[_TIME], state[_MESSAGES] >= FIRST
            offset, is_ahead, low, high = offsets[row], 1, FOREVER, BEGINNING
        time = times[row]
        before[row] = clock
        low, high = min(low, time), max(high, time)
        if is_set and time <= clock + max_ahead:
            is_ahead, clock = 0, max(clock, time)
        elif is_set:
            ahead[row] = True
    state[_TIME], state[_OFFSET], state[_AHEAD] = clock, offset, is_ahead
    state[_LOW], state[_HIGH] = low, high
