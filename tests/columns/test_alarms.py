"""The alarm recurrence: compiled against plain, and its rules by example."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.columns import alarms


def events(
    scores: list[float],
    raise_after: int = 1,
    clear_after: int = 1,
    clear_below: float = 1.0,
    plain: bool = False,
    within: int | None = None,
    levels: tuple[float, ...] = (),
) -> list[str]:
    size = len(scores)
    what, starts, peaks = np.zeros(size, np.int64), np.zeros(size), np.zeros(size)
    run = alarms.alarm_events.plain if plain else alarms.alarm_events
    bounds = np.array([0, size], np.int64)
    run(
        np.array(scores),
        np.arange(size) * 1.0,
        bounds,
        np.zeros((1, alarms.WIDTH)),
        raise_after,
        within or raise_after,
        clear_after,
        clear_below,
        np.array(levels, np.float64),
        what,
        starts,
        peaks,
    )
    return [f"{alarms.EVENTS[w]}@{int(s)}" if w else "" for w, s in zip(what, starts, strict=True)]


def test_an_alarm_starts_at_the_first_of_the_readings_that_raise_it() -> None:
    assert events([0.5, 1.2, 1.1, 0.2], raise_after=2) == ["", "", "raise@1", "clear@1"]


def test_a_single_reading_does_not_raise_an_alarm_that_needs_two() -> None:
    assert events([1.5, 0.5, 1.5, 0.5], raise_after=2) == ["", "", "", ""]


def test_hysteresis_keeps_an_alarm_until_the_score_is_low_enough() -> None:
    assert events([1.0, 0.9, 0.7, 0.5], clear_below=0.6) == ["raise@0", "", "", "clear@0"]


def test_clearing_needs_readings_in_a_row() -> None:
    assert events([1.0, 0.5, 1.0, 0.5, 0.5], clear_after=2) == ["raise@0", "", "", "", "clear@0"]


def test_an_update_tells_that_the_peak_has_doubled() -> None:
    assert events([1.0, 1.5, 2.0, 3.0, 4.0]) == ["raise@0", "", "update@0", "", "update@0"]


def test_some_of_the_last_scores_may_be_enough() -> None:
    assert events([1.5, 0.5, 1.5, 0.5, 0.5, 1.5], raise_after=2, within=3) == ["", "", "raise@0", "clear@0", "", ""]
    assert events([1.5, 0.5, 0.5, 0.5, 1.5, 1.5], raise_after=2, within=3) == ["", "", "", "", "", "raise@4"]


def test_an_update_tells_that_a_level_of_severity_is_reached() -> None:
    assert events([1.0, 1.6, 1.9, 2.1], levels=(1.5, 2.0)) == ["raise@0", "update@0", "", "update@0"]


def test_a_missing_score_changes_nothing() -> None:
    assert events([1.0, np.nan, 0.5]) == ["raise@0", "", "clear@0"]


scores = st.lists(st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.5, 3.0, float("nan"), float("inf")]), min_size=1, max_size=30)


@given(scores, st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.6, 1.0]), st.integers(0, 3))
def test_compiled_equals_plain_and_raises_and_clears_alternate(
    values: list[float], up: int, down: int, below: float, more: int
) -> None:
    found = events(values, up, down, below, within=up + more)
    assert found == events(values, up, down, below, plain=True, within=up + more)
    turns = [e.split("@")[0] for e in found if e and not e.startswith("update")]
    assert turns == ["raise", "clear"] * (len(turns) // 2) + ["raise"] * (len(turns) % 2)


@given(scores, st.integers(1, 4), st.integers(0, 4))
def test_an_alarm_is_raised_when_so_many_of_the_last_scores_are_over_the_line(values: list[float], up: int, more: int) -> None:
    known = [score for score in values if not np.isnan(score)]
    found = events(known, up, clear_after=10**6, within=up + more)
    expected = [
        at for at in range(len(known)) if known[at] >= 1 and sum(s >= 1 for s in known[max(at - up - more + 1, 0) : at + 1]) >= up
    ]
    raised = [at for at, event in enumerate(found) if event.startswith("raise")]
    assert raised == expected[:1]
