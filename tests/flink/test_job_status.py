"""A job's status sums counters over subtasks, and requests fit into Flink's addresses."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.flink import REASON, entry
from tocsin.flink import job_status
from tocsin.flink.failures import failures_in, reason_of
from tocsin.flink.job_status import SplitStatus, is_known, status_of
from tocsin.flink.rest import FlinkJob
from tocsin.foundation.ledger import StepCount

JOB = FlinkJob("1", "air", "RUNNING", 10)
END = 2**63 - 1


class Flink:
    """A cluster with one job of two vertices. metrics: by vertex, (name, aggregate, value)."""

    def __init__(self, metrics: dict[str, list[tuple[str, str, int]]]) -> None:
        self.vertices = metrics
        self.requested: list[str] = []

    def get(self, path: str, **parameters: str) -> Any:
        if path == "/jobs/1":
            return {"duration": 26_000, "vertices": [{"id": name} for name in self.vertices]}
        metrics = self.vertices[path.split("/")[4]]
        if "get" not in parameters:
            return [{"id": name} for name, _, _ in metrics]
        self.requested.append(parameters["get"])
        wanted = parameters["get"].split(",")
        return [{"id": name, kind: value} for name, kind, value in metrics if name in wanted]

    def metrics(self, path: str, names: list[str]) -> dict[str, str]:
        return {"numRestarts": "2"}

    def checkpoints(self, job: str) -> dict[str, Any]:
        return {"counts": {"completed": 7, "failed": 4}}

    def failures(self, job: str) -> Any:
        return failures_in([entry(REASON, at=9)])


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_status, "FRESH", 0)


def test_counters_of_several_vertices_add_up_and_the_lowest_watermark_counts() -> None:
    flink: Any = Flink(
        {
            "source": [
                ("0.x.tocsin_Read|read", "sum", 10),
                ("0.x.tocsin_Read|kept", "sum", 9),
                ("0.x.tocsin_Read|rejected", "sum", 1),
                ("0.x.tocsin_Read|1|position", "max", 12),
                ("0.x.tocsin_Read|1|lag", "max", 3),
                ("0.x.currentOutputWatermark", "min", END),
                ("0.x.numRecordsOut", "sum", 99),
            ],
            "steps": [
                ("0.y.tocsin_Windows|read", "sum", 4),
                ("1.y.tocsin_Windows|read", "sum", 5),
                ("0.y.tocsin_Windows|late_for_some", "sum", 2),
                ("1.y.tocsin_Windows|missed_windows", "sum", 6),
                ("0.y.currentOutputWatermark", "min", 2_000),
                ("1.y.currentOutputWatermark", "min", 1_000),
            ],
        }
    )
    found = status_of(flink, JOB)
    assert found.ledger.steps == {
        "Read": StepCount(read=10, kept=9, rejected=1),
        "Windows": StepCount(read=9, late_for_some=2, missed_windows=6),
    }
    assert found.splits == [SplitStatus("Read", 1, position=12, lag=3)]
    assert found.watermark == 1_000
    assert (found.restarts, found.running_for) == (2, 26_000)
    assert found.checkpoints["completed"] == 7
    assert found.checkpoints["last_size"] is None
    assert found.failures == [(9, reason_of(flink.failures("1")))]
    shown = found.as_dict()
    assert (shown["balances"], shown["in_flight"]) == (False, {"Windows": 9})
    assert not any("numRecordsOut" in request for request in flink.requested)


@given(sizes=st.lists(st.integers(1, 700), max_size=60))
def test_each_metric_is_requested_once_within_the_limit_of_an_address(sizes: list[int]) -> None:
    names = [f"{at}.tocsin_{'Stép' * size}|read" for at, size in enumerate(sizes)]
    requests = list(job_status._requests(names))
    assert [name for some in requests for name in some] == names
    assert all(some for some in requests)
    for some in requests:
        assert len(some) == 1 or len(quote(",".join(some))) <= 4_096


@pytest.mark.parametrize(
    ("watermark", "known"), [(None, False), (0, True), (1_772_445_600_000, True), (-(2**63), False)]
)
def test_flinks_marks_of_start_and_end_are_no_times(watermark: int | None, known: bool) -> None:
    assert is_known(watermark) is known
    assert not is_known(END)
