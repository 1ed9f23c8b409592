"""The alarm life cycle: the compiled kernel against the plain one, and its rules by example."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.kernels.alarms import lifecycle


def events(
    scores: list[float],
    raise_after: int = 1,
    clear_after: int = 1,
    clear_below: float = 1.0,
    plain: bool = False,
    within: int | None = None,
    levels: tuple[float, ...] = (),
    raise_for: int = 0,
    clear_for: int = 0,
) -> list[str]:
    lives = lifecycle.follow(
        np.array(scores),
        np.arange(len(scores)) * 1.0,
        np.array([0, len(scores)], np.int64),
        np.zeros((1, lifecycle.WIDTH)),
        raise_after=raise_after,
        within=within,
        raise_for=raise_for,
        clear_after=clear_after,
        clear_for=clear_for,
        clear_below=clear_below,
        levels=np.array(levels, np.float64),
        plain=plain,
    )
    return [
        f"{lifecycle.EVENTS[w]}@{int(s)}" if w else ""
        for w, s in zip(lives.events, lives.starts, strict=True)
    ]


def test_an_alarm_starts_at_the_first_of_the_readings_that_raise_it() -> None:
    assert events([0.5, 1.2, 1.1, 0.2], raise_after=2) == ["", "", "raise@1", "clear@1"]


def test_a_single_reading_does_not_raise_an_alarm_that_needs_two() -> None:
    assert events([1.5, 0.5, 1.5, 0.5], raise_after=2) == ["", "", "", ""]


def test_hysteresis_keeps_an_alarm_until_the_score_is_low_enough() -> None:
    assert events([1.0, 0.9, 0.7, 0.5], clear_below=0.6) == ["raise@0", "", "", "clear@0"]


def test_clearing_needs_readings_in_a_row() -> None:
    assert events([1.0, 0.5, 1.0, 0.5, 0.5], clear_after=2) == ["raise@0", "", "", "", "clear@0"]


def test_an_update_reports_a_doubled_peak() -> None:
    assert events([1.0, 1.5, 2.0, 3.0, 4.0]) == ["raise@0", "", "update@0", "", "update@0"]


def test_within_counts_scores_that_are_not_consecutive() -> None:
    assert events([1.5, 0.5, 1.5, 0.5, 0.5, 1.5], raise_after=2, within=3) == [
        "",
        "",
        "raise@0",
        "clear@0",
        "",
        "",
    ]
    assert events([1.5, 0.5, 0.5, 0.5, 1.5, 1.5], raise_after=2, within=3) == [
        "",
        "",
        "",
        "",
        "",
        "raise@4",
    ]


def test_an_alarm_escalates_at_a_level_and_steps_down_under_it() -> None:
    assert events([1.0, 1.6, 1.9, 2.1], levels=(1.5, 2.0)) == [
        "raise@0",
        "escalate@0",
        "",
        "escalate@0",
    ]
    assert events([5.0, 1.2, 1.6, 1.6, 1.2, 1.2], levels=(1.5, 2.0), clear_after=2) == [
        "raise@0", "", "step_down@0", "", "", "step_down@0",
    ]  # fmt: skip
    assert events([2.0, 1.8, 1.5, 1.2], levels=(2.0,), clear_below=0.7) == [
        "raise@0",
        "",
        "",
        "step_down@0",
    ]


def test_delays_are_times_between_readings() -> None:
    assert events([1.0, 1.0, 1.0, 0.0], raise_for=2) == ["", "", "raise@0", "clear@0"]
    assert events([1.0, 1.0, 0.0, 1.0, 1.0], raise_for=2) == ["", "", "", "", ""]
    assert events([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], clear_for=2) == [
        "raise@0",
        "",
        "",
        "",
        "",
        "",
        "clear@0",
    ]


def test_a_missing_score_changes_nothing() -> None:
    assert events([1.0, np.nan, 0.5]) == ["raise@0", "", "clear@0"]


scores = st.lists(
    st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.5, 3.0, float("nan"), float("inf")]),
    min_size=1,
    max_size=30,
)


@given(
    scores,
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0.6, 1.0]),
    st.integers(0, 3),
    st.integers(0, 2),
)
def test_compiled_equals_plain_and_raises_and_clears_alternate(
    values: list[float], up: int, down: int, below: float, more: int, delay: int
) -> None:
    rule = {"within": up + more, "raise_for": delay, "clear_for": delay, "levels": (1.2, 2.0)}
    found = events(values, up, down, below, **rule)  # type: ignore[arg-type]
    assert found == events(values, up, down, below, plain=True, **rule)  # type: ignore[arg-type]
    turns = [e.split("@")[0] for e in found if e.startswith(("raise", "clear"))]
    assert turns == ["raise", "clear"] * (len(turns) // 2) + ["raise"] * (len(turns) % 2)


@given(scores, st.integers(1, 4), st.integers(0, 4))
def test_an_alarm_is_raised_when_enough_of_the_last_scores_are_over_the_line(
    values: list[float], up: int, more: int
) -> None:
    known = [score for score in values if not np.isnan(score)]
    found = events(known, up, clear_after=10**6, within=up + more)
    expected = [
        at
        for at in range(len(known))
        if known[at] >= 1 and sum(s >= 1 for s in known[max(at - up - more + 1, 0) : at + 1]) >= up
    ]
    raised = [at for at, event in enumerate(found) if event.startswith("raise")]
    assert raised == expected[:1]


def test_more_levels_than_there_are_severities_are_refused() -> None:
    with pytest.raises(ValueError, match="5 levels; an alarm may have 4"):
        events([1.0], levels=(1.1, 1.2, 1.3, 1.4, 1.5))


def test_a_cleared_alarm_needs_all_its_scores_to_be_raised_again() -> None:
    scores = [1.5, 1.5, 0.5, 1.5, 0.5, 1.5, 1.5]
    found = ["", "raise@0", "clear@0", "", "", "", "raise@5"]
    assert events(scores, raise_after=2) == found
    assert events(scores, raise_after=2, plain=True) == found
    # The scores before the clearing do not count among the last ones either.
    assert events([1.5, 1.5, 0.5, 1.5], raise_after=2, within=4) == ["", "raise@0", "clear@0", ""]
