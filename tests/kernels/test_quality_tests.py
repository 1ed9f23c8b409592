"""Quality tests against loops and against values derived from the reference implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels import quality_tests
from tocsin.kernels.quality_tests import FAIL, GOOD, MISSING, SUSPECT, UNKNOWN

SECOND = 1_000_000
runs = st.lists(
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=12), min_size=1, max_size=3
)


def laid_out(values: list[list[float]], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = np.concatenate([np.array(one) for one in values])
    t = np.concatenate([np.cumsum(random.integers(1, 4, len(one))) * SECOND for one in values])
    return t.astype(np.int64), x, np.r_[0, np.cumsum([len(one) for one in values])].astype(np.int64)


@given(runs, st.integers(0, 9), st.integers(1, 6), st.integers(0, 5))
def test_flat_line_equals_a_loop(
    values: list[list[float]], seed: int, seconds: int, more: int
) -> None:
    t, x, starts = laid_out(values, seed)
    found = quality_tests.flat_line(t, x, starts, 1.5, seconds * SECOND, (seconds + more) * SECOND)
    for run in range(len(starts) - 1):
        for row in range(starts[run], starts[run + 1]):
            flag = None
            for span, bad in ((seconds, SUSPECT), (seconds + more, FAIL)):
                inside = [
                    x[at] for at in range(starts[run], row + 1) if t[at] >= t[row] - span * SECOND
                ]
                heard = t[starts[run]] <= t[row] - span * SECOND
                if heard and len(inside) > 1 and max(inside) - min(inside) < 1.5:
                    flag = bad
                elif not heard and span == seconds:
                    flag = UNKNOWN
            assert found[row] == (flag or GOOD)


@given(runs, st.integers(2, 4))
def test_rate_of_change_and_stuck_equal_a_loop(values: list[list[float]], count: int) -> None:
    t, x, starts = laid_out(values)
    stuck, rate = (
        quality_tests.stuck(x, starts, count),
        quality_tests.rate_of_change(t, x, starts, 1.0),
    )
    spikes = quality_tests.spike(x, starts, 1.0, 3.0)
    both = quality_tests.spike(x, starts, 1.0, 3.0, "differential")
    gaps = quality_tests.time_gap(t, starts, 2 * SECOND)
    for run in range(len(starts) - 1):
        first, end = int(starts[run]), int(starts[run + 1])
        same = 0
        for row in range(first, end):
            same = same + 1 if row > first and x[row] == x[row - 1] else 1
            assert stuck[row] == (SUSPECT if same >= count else GOOD)
            if row == first:
                assert rate[row] == gaps[row] == UNKNOWN
            else:
                elapsed = (t[row] - t[row - 1]) / SECOND
                assert rate[row] == (SUSPECT if abs(x[row] - x[row - 1]) / elapsed > 1 else GOOD)
                assert gaps[row] == (SUSPECT if elapsed > 2 else GOOD)
            if row in (first, end - 1):
                assert spikes[row] == both[row] == UNKNOWN
                continue
            jump = abs(x[row] - (x[row - 1] + x[row + 1]) / 2)
            assert spikes[row] == (FAIL if jump > 3 else SUSPECT if jump > 1 else GOOD)
            steps = x[row] - x[row - 1], x[row] - x[row + 1]
            lesser = min(map(abs, steps)) if steps[0] * steps[1] > 0 else 0
            assert both[row] == (FAIL if lesser > 3 else SUSPECT if lesser > 1 else GOOD)


def test_gross_range_delay_and_roll_up() -> None:
    x = np.array([-5.0, 0.0, 5.0, 9.0, 11.0])
    assert quality_tests.gross_range(x, (-4, 10), (0, 8)).tolist() == [
        FAIL,
        GOOD,
        GOOD,
        SUSPECT,
        FAIL,
    ]
    assert quality_tests.gross_range(x, (-4, 10), None).tolist() == [FAIL, GOOD, GOOD, GOOD, FAIL]
    late = quality_tests.delay(np.array([0, 0]), np.array([SECOND, 3 * SECOND]), 2 * SECOND)
    assert late.tolist() == [GOOD, SUSPECT]
    flags = [
        np.array(one, np.int8)
        for one in (
            [GOOD, UNKNOWN, GOOD, MISSING, FAIL],
            [UNKNOWN, UNKNOWN, SUSPECT, UNKNOWN, SUSPECT],
        )
    ]
    # qartod_compare of ioos_qc: a test that ran outranks one that could not run.
    assert quality_tests.worst(flags).tolist() == [GOOD, UNKNOWN, SUSPECT, UNKNOWN, FAIL]


@pytest.mark.parametrize("test", quality_tests.REASONS)
def test_each_test_has_its_own_bit(test: str) -> None:
    assert quality_tests.bit_of(test) == 2 ** list(quality_tests.REASONS).index(test)


@given(runs, st.integers(0, 9), st.integers(1, 6), st.integers(2, 4), st.integers(1, 12))
def test_the_rows_kept_decide_the_flags_of_later_rows_as_all_rows_do(
    values: list[list[float]], seed: int, seconds: int, count: int, cut: int
) -> None:
    t, x, starts = laid_out(values, seed)
    span = seconds * SECOND
    ends = np.minimum(starts[:-1] + cut, starts[1:])
    early = np.concatenate([np.arange(a, b) for a, b in zip(starts[:-1], ends, strict=True)])
    bounds = np.searchsorted(early, starts).astype(np.int64)
    kept = quality_tests.last_equal(x[early], bounds, count)
    quality_tests.mark_extremes(t[early], x[early], bounds, span, kept)
    left = np.sort(np.r_[early[kept], np.setdiff1d(np.arange(len(x)), early)])
    firsts = np.searchsorted(left, starts).astype(np.int64)
    later = ~np.isin(left, early)
    for whole, part in (
        (quality_tests.stuck(x, starts, count), quality_tests.stuck(x[left], firsts, count)),
        (
            quality_tests.flat_line(t, x, starts, 1.5, span // 2, span),
            quality_tests.flat_line(t[left], x[left], firsts, 1.5, span // 2, span),
        ),
    ):
        assert whole[left[later]].tolist() == part[later].tolist()


def test_few_rows_of_a_long_flat_line_test_are_kept() -> None:
    random = np.random.default_rng(1)
    x, t = random.normal(size=3600), np.arange(3600) * SECOND
    kept = np.zeros(len(x), bool)
    quality_tests.mark_extremes(t, x, np.array([0, len(x)]), 3600 * SECOND, kept)
    assert kept.sum() < 40
