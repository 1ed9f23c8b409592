"""The clock of a partition equals a loop over single rows, and wrong clocks do not set it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.lateness import behind, running_watermarks
from tocsin.kernels.time.partition_clock import FIRST, MAJORITY, PartitionClock

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
NOW = 1_772_445_600_000_000
AHEAD = 6 * HOUR


@dataclass
class Oracle:
    """The rule, row by row. messages: the rows of each message so far, and whether each is ahead"""

    clock: int | None = None
    votes: list[int] = field(default_factory=list)
    first: list[list[int]] = field(default_factory=list)
    score: int = 0

    def message(self, rows: list[int]) -> list[tuple[int | None, bool]]:
        """The clock before each row, and whether the row is ahead of it."""
        found: list[tuple[int | None, bool]] = []
        if self.clock is None:
            self.first.append(rows)
            if len(self.first) == FIRST:
                limit = statistics.median_low([min(one) for one in self.first]) + AHEAD
                ends = [time for one in self.first for time in (min(one), max(one))]
                self.clock = max(time for time in ends if time <= limit)
            return [(None, False)] * len(rows)
        for time in rows:
            is_ahead = time > self.clock + AHEAD
            found.append((self.clock, is_ahead))
            if not is_ahead:
                self.clock = max(self.clock, time)
        self._vote(min(rows), all(is_ahead for _, is_ahead in found))
        return found

    def _vote(self, least: int, is_ahead: bool) -> None:
        assert self.clock is not None
        self.score = self.score + 1 if is_ahead else max(self.score - 1, 0)
        self.votes = [*self.votes, least] if is_ahead else self.votes if self.score else []
        if self.score == MAJORITY:
            self.clock = max(self.clock, min(self.votes))
            self.score, self.votes = 0, []


def follow(
    messages: list[list[int]], cuts: list[int] | None = None
) -> tuple[list[tuple[int | None, bool]], PartitionClock]:
    """The clock before each row and whether it is ahead, in batches that end at `cuts`."""
    times = np.array([time for rows in messages for time in rows], np.int64)
    offsets = np.repeat(np.arange(len(messages)), [len(rows) for rows in messages])
    clock, found = PartitionClock(), []
    bounds = [0, *sorted(min(cut, len(times)) for cut in cuts or []), len(times)]
    for start, end in pairwise(bounds):
        before, ahead, clock = clock.follow(times[start:end], offsets[start:end], AHEAD)
        found += [
            (None if time <= BEGINNING else time, is_ahead)
            for time, is_ahead in zip(before.tolist(), ahead.tolist(), strict=True)
        ]
    return found, clock


times = st.one_of(
    st.integers(0, 200).map(lambda second: NOW + second * SECOND),
    st.integers(0, 12).map(lambda hours: NOW + hours * HOUR),
    st.integers(0, 3).map(lambda days: NOW + days * DAY),
)
streams = st.lists(
    st.tuples(st.lists(times, min_size=1, max_size=3), st.integers(1, 130)), max_size=8
).map(lambda runs: [rows for rows, count in runs for _ in range(count)])


@settings(max_examples=80, deadline=None)
@given(messages=streams, cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_the_clock_equals_the_oracle_in_any_batches(
    messages: list[list[int]], cuts: list[int]
) -> None:
    oracle = Oracle()
    expected = [row for rows in messages for row in oracle.message(rows)]
    found, clock = follow(messages, cuts)
    assert found == expected
    whole, end = follow(messages)
    assert (whole, end) == (found, clock)
    known = [time for time, _ in found if time is not None]
    assert known == sorted(known), "the watermark of a partition never goes back"


@settings(max_examples=60, deadline=None)
@given(seconds=st.lists(st.integers(0, AHEAD // SECOND), max_size=60), cut=st.integers(0, 60))
def test_clocks_that_agree_give_the_greatest_event_time(seconds: list[int], cut: int) -> None:
    messages = [[NOW + second * SECOND] for second in seconds]
    found, clock = follow(messages, [cut])
    array = np.array(messages, np.int64).reshape(-1)
    watermarks, greatest = running_watermarks(array, BEGINNING, 5 * SECOND)
    before = np.array([BEGINNING if time is None else time for time, _ in found], np.int64)
    assert behind(before, 5 * SECOND)[FIRST:].tolist() == watermarks[FIRST:].tolist()
    assert (before[:FIRST] == BEGINNING).all()
    assert not any(is_ahead for _, is_ahead in found)
    assert clock.best(AHEAD) == greatest


def city(devices: int, wrong: int, rounds: int, *, shuffled: bool) -> list[tuple[int, int]]:
    """Messages (device, event time) every 10 s of each device. The first `wrong` are ahead.

    The wrong clocks are ahead by a day, two days and so on.
    """
    random = np.random.default_rng(5)
    found = []
    for number in range(rounds):
        order = random.permutation(devices) if shuffled else np.arange(devices)
        for device in order.tolist():
            error = (device + 1) * DAY if device < wrong else 0
            found.append((device, NOW + number * 10 * SECOND + error))
    return found


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("wrong", [1, 2, 3, 4])
def test_one_and_some_wrong_clocks_make_no_other_device_late(wrong: int, shuffled: bool) -> None:
    messages = city(10, wrong, 2_000, shuffled=shuffled)
    found, clock = follow([[time] for _, time in messages])
    for (device, time), (before, is_ahead) in zip(messages, found, strict=True):
        assert before is None or before <= time, "late although nothing is out of order"
        assert is_ahead is (device < wrong and before is not None)
    assert clock.best(AHEAD) == NOW + 1_999 * 10 * SECOND


def test_the_clock_follows_where_most_clocks_are_ahead() -> None:
    """Without a broker's time nobody knows which are right: the majority is."""
    messages = [[NOW + n * SECOND + (DAY if n % 10 < 7 else 0)] for n in range(2_000)]
    found, clock = follow(messages)
    assert clock.time >= NOW + DAY
    assert not any(is_ahead for _, is_ahead in found[200:])


def test_the_clock_follows_a_partition_that_was_silent_for_a_day() -> None:
    before = [[NOW + n * SECOND] for n in range(50)]
    after = [[NOW + DAY + n * SECOND] for n in range(300)]
    found, clock = follow([*before, *after])
    ahead = [is_ahead for _, is_ahead in found]
    assert ahead == [False] * 50 + [True] * MAJORITY + [False] * (300 - MAJORITY)
    assert clock.time == NOW + DAY + 299 * SECOND


def test_a_message_has_one_vote_however_many_readings_it_holds() -> None:
    one = [[NOW + n * SECOND] for n in range(50)]
    found, clock = follow([*one, [NOW + DAY] * 1_000, [NOW + 51 * SECOND]])
    assert clock.time == NOW + 51 * SECOND
    assert sum(is_ahead for _, is_ahead in found) == 1_000


def test_a_gateways_message_with_one_wrong_reading_is_not_ahead() -> None:
    messages = [[NOW + DAY, NOW + n * SECOND] for n in range(200)]
    _, clock = follow(messages)
    assert clock.time == NOW + 199 * SECOND


def test_a_clock_that_is_set_needs_no_first_messages() -> None:
    times, offsets = np.array([NOW + SECOND, NOW + DAY]), np.array([7, 8])
    before, ahead, clock = PartitionClock.at(NOW).follow(times, offsets, AHEAD)
    assert before.tolist() == [NOW, NOW + SECOND]
    assert ahead.tolist() == [False, True]
    assert clock.best(AHEAD) == NOW + SECOND


def test_a_partition_without_rows_has_no_clock() -> None:
    assert PartitionClock().best(AHEAD) == BEGINNING
