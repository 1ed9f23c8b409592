"""Health samples against counts of the states, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alarm_states import alarms, changes
from tocsin.kernels.alarms.columns import HEALTH_SAMPLE, SEVERITIES
from tocsin.kernels.alarms.health import doubled, take_sample, take_samples

DAY = 86_400_000_000
NOW = 3.0 * DAY
flag = st.sampled_from([0.0, 1.0])
state = st.fixed_dictionaries(
    {
        "announced": flag,
        "acknowledged": flag,
        "suppressed": flag,
        "withheld": flag,
        "flapping": flag,
        "active": flag,
        "announced_at": st.sampled_from([2.0 * DAY - 1, 2.0 * DAY, 2.0 * DAY + 1, NOW]),
        "shelved_until": st.sampled_from([0.0, NOW - 1, NOW, NOW + 1]),
    }
)


def _sample(states: Any, raised: Any) -> Any:
    sample = np.zeros(1, HEALTH_SAMPLE).view(np.recarray)[0]
    take_sample(sample, NOW, states, raised)
    return sample


@given(st.lists(state, max_size=6))
def test_a_sample_counts_alarms(drawn: list[dict[str, float]]) -> None:
    columns = {name: [one[name] for one in drawn] for name in (drawn[0] if drawn else {})}
    states = alarms(len(drawn), **columns)
    before, raised = states.copy(), np.arange(3, 3 + SEVERITIES)
    found = _sample(states, raised)
    standing = [one for one in drawn if one["announced"]]
    assert found.tolist()[:-1] == (
        NOW,
        len(standing),
        sum(not one["acknowledged"] for one in standing),
        # A day and not a microsecond more is not yet stale.
        sum(NOW - one["announced_at"] > DAY for one in standing),
        sum(one["shelved_until"] > NOW for one in drawn),
        sum(bool(one["suppressed"] or one["withheld"]) for one in drawn),
        sum(bool(one["flapping"]) for one in drawn),
    )
    assert found.raised.tolist() == [3, 4, 5, 6, 7]
    assert raised.tolist() == [0] * SEVERITIES
    assert all(changes(*pair) == {} for pair in zip(before, states, strict=True))


@pytest.mark.parametrize(
    ("last", "times"), [(9.0, []), (10.0, [10.0]), (29.0, [10.0, 20.0]), (30.0, [10.0, 20.0, 30.0])]
)
def test_samples_are_taken_up_to_the_last_time_inclusive(last: float, times: list[float]) -> None:
    # There is room for two more: the third needs a longer array.
    samples = np.zeros(3, HEALTH_SAMPLE).view(np.recarray)
    samples.time[0] = -7.0
    raised = np.full(SEVERITIES, 2)
    found, count, following = take_samples(samples, 1, 10.0, 10.0, last, alarms(1), raised)
    assert found[:count]["time"].tolist() == [-7.0, *times]
    assert following == 10.0 + 10.0 * len(times)
    # The first sample after them has the raises.
    counts = found[1:count]["raised"].tolist()
    assert counts == [[2] * SEVERITIES, *[[0] * SEVERITIES] * 2][: len(times)]
    assert len(found) == (6 if len(times) == 3 else 3)


def test_no_sample_is_due_where_none_is_wanted() -> None:
    samples = np.zeros(2, HEALTH_SAMPLE)
    found, count, following = take_samples(
        samples, 0, np.nan, 10.0, np.inf, alarms(1), np.ones(SEVERITIES, np.int64)
    )
    assert (count, found is samples, np.isnan(following)) == (0, True, True)


@pytest.mark.parametrize("size", [1, 5])
def test_a_doubled_array_keeps_its_records(size: int) -> None:
    records = np.zeros(size, HEALTH_SAMPLE)
    records["time"] = np.arange(size) + 1.0
    found = doubled(records)
    assert found.dtype == HEALTH_SAMPLE
    assert found[:size].tobytes() == records.tobytes()
    assert len(found) == 2 * size
