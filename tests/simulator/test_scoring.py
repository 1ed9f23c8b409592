"""An alarm finds the anomaly of its own sensor, metric and time; others are false."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from tocsin.simulator.anomalies import LABELS
from tocsin.simulator.scoring import SLACK, score

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
END = START + timedelta(minutes=12)
LABEL = {"sensor_id": "a", "metric": "no2", "kind": "stuck", "start": START, "end": END}


def labels(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=LABELS)


def alarm(at: datetime, sensor: str = "a", metric: str = "no2", event: str = "raise") -> Any:
    return {
        "dateIssued": at.isoformat(),
        "data": {"event": event, "labels": {"sensor_id": sensor, "metric": metric}},
    }


def test_a_raise_within_the_anomaly_or_soon_after_finds_it() -> None:
    for at in (START - timedelta(minutes=1), START, END, END + SLACK):
        result = score(labels(LABEL), [alarm(at)])
        assert (result.found, result.missed, result.false) == ({"stuck": 1}, {}, [])


def test_a_raise_at_another_time_or_of_another_series_is_false() -> None:
    for one in (
        alarm(START - timedelta(minutes=2)),
        alarm(END + SLACK + timedelta(seconds=1)),
        alarm(START, sensor="b"),
        alarm(START, metric="o3"),
    ):
        result = score(labels(LABEL), [one])
        assert (result.found, result.missed, result.false) == ({}, {"stuck": 1}, [one])


def test_only_raise_events_count() -> None:
    result = score(labels(LABEL), [alarm(START, event="clear")])
    assert (result.found, result.missed, result.false) == ({}, {"stuck": 1}, [])


def test_anomalies_are_counted_by_kind_and_several_raises_find_one_once() -> None:
    spike = {**LABEL, "sensor_id": "b", "kind": "spike"}
    other = {**spike, "sensor_id": "c"}
    raised = [alarm(START), alarm(END), alarm(START, sensor="b")]
    result = score(labels(LABEL, spike, other), raised)
    assert (result.found, result.missed) == ({"stuck": 1, "spike": 1}, {"spike": 1})
    assert result.false == []
