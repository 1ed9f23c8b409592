"""Window arithmetic against an oracle that enumerates windows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.time.sessions import session_ids
from tocsin.kernels.time.windows import Sliding

windows = st.builds(
    lambda every, times, offset: Sliding(every * times, every, offset),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(0, 30),
) | st.builds(
    lambda every, extra: Sliding(every + extra, every), st.integers(1, 12), st.integers(0, 20)
)
moments = st.integers(-200, 200)


def oracle(window: Sliding, time: int) -> list[int]:
    """The starts of the windows that contain a time."""
    return [
        s
        for s in range(-400, 400)
        if (s - window.offset) % window.every == 0 and s <= time < s + window.size
    ]


@given(windows, moments)
def test_a_pane_has_the_windows_of_its_times(window: Sliding, time: int) -> None:
    times = np.array([time])
    pane = window.panes(times)
    first, last = int(window.first_window(pane)[0]), int(window.last_window(pane)[0])
    assert list(range(first, last + 1, window.every)) == oracle(window, time)


@given(windows, moments, st.integers(-300, 300), st.integers(0, 50))
def test_the_first_open_window_ends_after_the_watermark(
    window: Sliding, time: int, watermark: int, lateness: int
) -> None:
    pane = window.panes(np.array([time]))
    first = int(window.first_open(pane, np.array([watermark]), lateness)[0])
    last = int(window.last_window(pane)[0])
    expected = [s for s in oracle(window, time) if s + window.size + lateness > watermark]
    assert list(range(first, last + 1, window.every)) == expected


@given(
    windows,
    st.lists(st.tuples(moments, st.integers(-300, 300) | st.just(-(2**62))), max_size=20),
    st.integers(0, 50),
)
def test_place_equals_its_separate_steps(
    window: Sliding, rows: list[tuple[int, int]], lateness: int
) -> None:
    times, watermarks = np.array(rows, np.int64).reshape(-1, 2).T
    starts, accepted, on_time, last = window.place(times.copy(), watermarks.copy(), lateness)
    assert starts.tolist() == window.panes(times).tolist()
    assert accepted.tolist() == window.first_open(starts, watermarks, lateness).tolist()
    assert on_time.tolist() == window.first_open(starts, watermarks, 0).tolist()
    assert last.tolist() == window.last_window(starts).tolist()


@given(windows, st.lists(moments, min_size=1, max_size=8), st.integers(-200, 300))
def test_starts_that_hold_enumerates_windows_with_readings(
    window: Sliding, times: list[int], until: int
) -> None:
    panes = window.panes(np.array(times))
    lowest = -(10**6) * window.every + window.offset
    assert window.starts_that_hold(panes, lowest, until - window.size) == sorted(
        {start for time in times for start in oracle(window, time) if start + window.size <= until}
    )


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=1, max_size=25),
    st.integers(1, 10),
)
def test_a_gap_separates_sessions(rows: list[tuple[int, int]], gap: int) -> None:
    keys, times = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    found = session_ids(keys, times, times + gap)
    expected: dict[int, list[list[int]]] = {}
    for key, time in sorted(rows):
        runs = expected.setdefault(key, [])
        if runs and time < runs[-1][-1] + gap:
            runs[-1].append(time)
        else:
            runs.append([time])
    sizes = sorted(len(run) for runs in expected.values() for run in runs)
    assert sorted(np.bincount(found).tolist()) == sizes
    for session in np.unique(found):
        assert len(set(keys[found == session])) == 1
