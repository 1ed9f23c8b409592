"""Of failures that occur together, the cause is reported."""

from __future__ import annotations

import pytest

from tests.support.flink import CUT_OFF, PYTHON, REASON, entry
from tocsin.flink.failures import failures_in, reason_of


def test_the_cause_among_concurrent_failures_is_reported() -> None:
    found = failures_in(
        [entry(CUT_OFF, CUT_OFF, REASON, at=9), entry(PYTHON, REASON), entry(CUT_OFF, at=1)]
    )
    assert [failure.moment for failure in found] == [10, 5, 1]
    assert [failure.is_cause for failure in found] == [True, True, False]
    assert found[0].sentence == "cannot write to the topic 'alarms': Group authorization failed."
    assert found[1].sentence == "ValueError: no such value"
    assert found[2].sentence == (
        "a worker was cut off (CANCELLED: client cancelled): "
        "another failure or the worker's log says why"
    )


def test_an_older_flink_lists_no_concurrent_failures() -> None:
    (found,) = failures_in([{"timestamp": 1, "stacktrace": REASON}])
    assert found.is_cause


def test_the_reason_of_several_failures_is_a_cause() -> None:
    assert (
        reason_of(failures_in([entry(CUT_OFF), entry(REASON)]))
        == "cannot write to the topic 'alarms': Group authorization failed."
    )
    assert (reason_of(failures_in([entry(CUT_OFF)])) or "").startswith("a worker was cut off")
    assert reason_of([]) is None


def test_too_few_slots_are_a_question_about_slots() -> None:
    text = (
        "org.apache.flink.runtime.JobException: Recovery is suppressed\nCaused by: org.apache.flink"
        ".runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum"
    )
    (found,) = failures_in([entry(text)])
    assert found.sentence == "Flink found no slots for all tasks; are there enough task slots?"


@pytest.mark.parametrize(
    "text",
    [
        "no reason with CANCELLED in it",
        "UNAVAILABLE of the job's own",
        "[[StatusRuntimeException: CANCELLED]]",
    ],
)
def test_words_of_a_lost_connection_in_another_error_do_not_hide_it(text: str) -> None:
    assert failures_in([entry(text)])[0].is_cause
