"""How a job on Flink stands: its checkpoints, restarts, watermark, ledger, and the lag of each partition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from tocsin.flink.rest import FlinkJob, FlinkRest
from tocsin.foundation.ledger import FATES, Ledger, StepCount

MARK = "tocsin_"
OUTPUT_WATERMARK = ".currentOutputWatermark"
FRESH = 0.7
SPLIT_GAUGES = ("position", "lag", "watermark")
_ADDRESS = 3000
# Watermarks above this are at their end.
_END = 2**62


@dataclass(frozen=True)
class SplitStatus:
    """One partition. position: the next offset; lag: messages not read; watermark: milliseconds since 1970, or None."""

    step: str
    partition: int
    position: int | None = None
    lag: int | None = None
    watermark: int | None = None


@dataclass(frozen=True)
class JobStatus:
    """A job as it stands. Times in milliseconds. ledger: since the job's last start or restart, as Flink counts."""

    name: str
    id: str
    state: str
    running_for: int
    restarts: int | None
    checkpoints: dict[str, Any]
    watermark: int | None
    splits: list[SplitStatus]
    ledger: Ledger
    failures: list[tuple[int, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        found["ledger"] = self.ledger.as_dict()
        found["balances"] = self.ledger.balances
        found["in_flight"] = {
            step: count.in_flight for step, count in self.ledger.steps.items() if count.in_flight
        }
        return found


def standing_of(rest: FlinkRest, job: FlinkJob) -> JobStatus:
    """Ask Flink. Raises Failure where it does not answer."""
    overview = rest.get(f"/jobs/{job.id}")
    counts: dict[str, dict[str, int]] = {}
    splits: dict[tuple[str, int], dict[str, int]] = {}
    watermarks: list[int] = []
    paths = [
        f"/jobs/{job.id}/vertices/{vertex['id']}/subtasks/metrics"
        for vertex in overview["vertices"]
    ]
    for path in paths:
        rest.get(path)
    # The JobManager fetches metrics when it is asked for them, and answers with those of the time before.
    time.sleep(FRESH)
    for path in paths:
        names = [metric["id"] for metric in rest.get(path)]
        wanted = [name for name in names if _is_told(name)]
        for some in _askable(wanted):
            for metric in rest.get(path, get=",".join(some)):
                _note(metric, counts, splits, watermarks)
    restarts = rest.metrics(f"/jobs/{job.id}/metrics", ["numRestarts"]).get("numRestarts")
    return JobStatus(
        name=job.name,
        id=job.id,
        state=job.state,
        running_for=int(overview["duration"]),
        restarts=int(restarts) if restarts is not None else None,
        checkpoints=_checkpoints(rest, job),
        watermark=min(watermarks, default=None),
        splits=[
            SplitStatus(step, number, **values) for (step, number), values in sorted(splits.items())
        ],
        ledger=Ledger({step: StepCount(**fates) for step, fates in sorted(counts.items())}),
        failures=[(failure.moment, failure.sentence) for failure in rest.failures(job.id)],
    )


def _is_told(name: str) -> bool:
    told = (*FATES, *SPLIT_GAUGES)
    return name.endswith(OUTPUT_WATERMARK) or (MARK in name and name.rpartition("|")[2] in told)


def _askable(names: list[str]) -> Iterator[list[str]]:
    """The names in lists that fit into an address: Flink refuses one of more than 4096 bytes."""
    some: list[str] = []
    length = 0
    for name in names:
        size = len(quote(name)) + 3
        if some and length + size > _ADDRESS:
            yield some
            some, length = [], 0
        some.append(name)
        length += size
    if some:
        yield some


def _note(
    metric: dict[str, Any],
    counts: dict[str, dict[str, int]],
    splits: dict[tuple[str, int], dict[str, int]],
    watermarks: list[int],
) -> None:
    name = metric["id"]
    if name.endswith(OUTPUT_WATERMARK):
        low = int(metric["min"])
        # A step without input, such as the start of a source, is at its end from the start.
        if low < _END:
            watermarks.append(low)
        return
    step, _, rest = name.rpartition(MARK)[2].partition("|")
    if rest in FATES:
        fates = counts.setdefault(step, {})
        fates[rest] = fates.get(rest, 0) + int(metric["sum"])
        return
    partition, _, gauge = rest.partition("|")
    if gauge in SPLIT_GAUGES and partition.isdigit():
        splits.setdefault((step, int(partition)), {})[gauge] = int(metric["max"])


def _checkpoints(rest: FlinkRest, job: FlinkJob) -> dict[str, Any]:
    found = rest.checkpoints(job.id)
    last = (found.get("latest") or {}).get("completed") or {}
    return {
        "completed": found.get("counts", {}).get("completed", 0),
        "failed": found.get("counts", {}).get("failed", 0),
        "last_size": last.get("checkpointed_size"),
        "last_full_size": last.get("state_size"),
        "last_duration": last.get("end_to_end_duration"),
        "last_age": int(time.time() * 1000) - int(last["latest_ack_timestamp"]) if last else None,
        "last_path": last.get("external_path"),
    }


def is_known(watermark: int | None) -> bool:
    """Whether a watermark is a time."""
    return watermark is not None and -(2**53) < watermark < 2**53
