"""A runner that misreads a delay is found out; one that does not is left alone."""

from __future__ import annotations

from apache_beam.utils.timestamp import Duration

from tocsin.beam.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def asked(pace: Pace, clock: Clock, passes: float, times: int) -> list[Duration]:
    found = []
    for _ in range(times):
        pace.called()
        found.append(pace.pause())
        clock.now += passes
    return found


def test_a_runner_that_waits_is_asked_for_what_is_meant() -> None:
    clock = Clock()
    assert set(asked(Pace(0.5, clock), clock, 0.5, 20)) == {Duration.of(0.5)}


def test_one_early_call_is_chance_and_two_are_the_runners_way() -> None:
    clock = Clock()
    pace = Pace(0.5, clock)
    assert asked(pace, clock, 0.001, 4) == [Duration.of(0.5), Duration.of(0.5), Duration.of(500), Duration.of(500)]
    clock = Clock()
    pace = Pace(0.5, clock)
    asked(pace, clock, 0.001, 1)
    assert set(asked(pace, clock, 0.6, 5)) == {Duration.of(0.5)}


def test_a_runner_that_begins_to_wait_for_real_is_asked_for_less_again() -> None:
    clock = Clock()
    pace = Pace(0.5, clock)
    asked(pace, clock, 0.001, 3)
    assert asked(pace, clock, 500, 3)[-1] == Duration.of(0.5)
