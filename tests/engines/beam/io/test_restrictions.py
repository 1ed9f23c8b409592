"""Restrictions of a split: no checkpoint loses or repeats a position."""

from __future__ import annotations

import pytest
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engines.beam.io.partition_discovery import DiscoveredSplits, DiscoveryTracker
from tocsin.engines.beam.io.restrictions import (
    ENDED,
    OffsetRestriction,
    OffsetRestrictionTracker,
    clipped,
)
from tocsin.kernels.batch import BEGINNING
from tocsin.kernels.time.partition_clock import PartitionClock

CLOCK = PartitionClock.at(1234)


def test_a_checkpoint_divides_a_restriction_into_the_read_part_and_the_rest() -> None:
    tracker = OffsetRestrictionTracker(OffsetRestriction(5, None, BEGINNING))
    assert tracker.try_claim((9, 1234, CLOCK))
    assert tracker.try_split(0.5) is None
    done, rest = tracker.try_split(0) or (None, None)
    assert (done, rest) == (
        OffsetRestriction(5, 9, BEGINNING),
        OffsetRestriction(9, None, 1234, CLOCK),
    )
    assert not tracker.try_claim((10, 1234, CLOCK))
    assert tracker.check_done()


def test_a_split_without_end_is_done_where_its_topic_is_gone() -> None:
    tracker = OffsetRestrictionTracker(OffsetRestriction(5, None, BEGINNING))
    assert tracker.try_claim((9, 1234, CLOCK))
    assert tracker.try_claim((ENDED, 1234, CLOCK))
    assert tracker.check_done()
    assert tracker.try_split(0) is None


def test_a_checkpoint_from_before_there_were_clocks_is_read() -> None:
    old = OffsetRestriction.__new__(OffsetRestriction)
    old.__dict__.update(start=5, stop=None, greatest=1234)
    assert old == OffsetRestriction(5, None, 1234)


def test_unread_positions_are_an_error() -> None:
    tracker = OffsetRestrictionTracker(OffsetRestriction(0, 10, BEGINNING))
    assert tracker.try_claim((4, 1, None))
    with pytest.raises(ValueError, match="read up to 4"):
        tracker.check_done()


@given(cuts=st.lists(st.integers(1, 7), max_size=12), size=st.integers(1, 50))
def test_any_sequence_of_checkpoints_covers_each_position_once(cuts: list[int], size: int) -> None:
    rest: OffsetRestriction | None = OffsetRestriction(0, size, BEGINNING)
    parts = []
    for step in [*cuts, size]:
        if rest is None:
            break
        tracker = OffsetRestrictionTracker(rest)
        position = min(rest.start + step, size)
        assert tracker.try_claim((position, position, None))
        divided = tracker.try_split(0)
        parts.append(tracker.current_restriction())
        rest = divided[1] if divided else None
        assert tracker.check_done()
        assert rest is None or rest.greatest == position
    assert rest is None
    covered = [at for part in parts for at in range(part.start, part.stop or 0)]
    assert covered == list(range(size))


@pytest.mark.parametrize(("stop", "fraction"), [(10, 0.4), (4, 1.0), (None, 4 / 5)])
def test_progress_is_the_read_fraction(stop: int | None, fraction: float) -> None:
    tracker = OffsetRestrictionTracker(OffsetRestriction(0, stop, BEGINNING))
    assert tracker.try_claim((4, 1, None))
    assert tracker.current_progress().fraction_completed == pytest.approx(fraction)
    assert tracker.is_bounded() is (stop is not None)


@given(micros=st.integers(-(2**70), 2**70))
def test_timestamps_are_clipped_to_beams_range_and_keep_their_order(micros: int) -> None:
    assert MIN_TIMESTAMP <= clipped(micros) < MAX_TIMESTAMP
    assert clipped(micros) <= clipped(micros + 1)


def test_discovery_remembers_the_emitted_splits_over_a_checkpoint() -> None:
    tracker = DiscoveryTracker(DiscoveredSplits(3))
    assert tracker.try_claim(DiscoveredSplits(5))
    with pytest.raises(ValueError, match="splits may be added for ever"):
        tracker.check_done()
    assert tracker.try_split(0.5) is None
    assert tracker.try_split(0) == (DiscoveredSplits(3), DiscoveredSplits(5))
    assert tracker.check_done()
    assert not tracker.try_claim(DiscoveredSplits(6))
