"""The status of a job on Flink: checkpoints, restarts, watermark, ledger and lag by partition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from tocsin.flink.accumulators import accumulated
from tocsin.flink.rest import ENDED, FlinkJob, FlinkRest
from tocsin.foundation.ledger import COUNTS, REASONS, Ledger

MARK = "tocsin_"
OUTPUT_WATERMARK = ".currentOutputWatermark"
# Seconds that the JobManager takes to fetch metrics.
FRESH = 0.7
# Seconds after which an answer is not older than the end of the job. Flink's copy lives 3 s.
CACHED = 15.0
SPLIT_GAUGES = ("position", "lag", "watermark")
# Bytes of an address: Flink refuses more than 4096.
_ADDRESS = 3000
# A watermark at or above this means the end of the input.
_END = 2**62


@dataclass(frozen=True)
class SplitStatus:
    """The progress of one partition.

    position: the next offset. lag: unread messages. watermark: milliseconds since 1970. Each is
    None until the job reports it.
    """

    step: str
    partition: int
    position: int | None = None
    lag: int | None = None
    watermark: int | None = None


@dataclass(frozen=True)
class JobStatus:
    """The status of a job.

    Attributes:
        running_for: milliseconds.
        restarts: None before Flink reports the number.
        checkpoints: `completed`, `failed`, and size (bytes), duration (milliseconds), age
            (milliseconds) and path of the last; None without one.
        watermark: milliseconds since 1970; None before the first.
        ledger: rows since the job's last start or restart, because Flink counts from there. The
            counts of an ended job come from its accumulators; without steps where Flink has none.
        failures: milliseconds since 1970 and sentence, the newest first.
    """

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
        """A mapping for JSON."""
        found = asdict(self)
        found["ledger"] = self.ledger.as_dict()
        found["balances"] = self.ledger.balances
        found["in_flight"] = {
            step: count.in_flight for step, count in self.ledger.steps.items() if count.in_flight
        }
        return found


def status_of(rest: FlinkRest, job: FlinkJob) -> JobStatus:
    """Ask Flink for a job's status. Raises Failure where it does not answer."""
    overview = rest.get(f"/jobs/{job.id}")
    progress = _Progress()
    if job.has_ended:
        overview = _ended_overview(rest, job, overview)
        for name, value in accumulated(rest, job.id):
            progress.note(name, value)
    else:
        for metric in _live_metrics(rest, job, overview["vertices"]):
            progress.note_metric(metric)
    restarts = rest.metrics(f"/jobs/{job.id}/metrics", ["numRestarts"]).get("numRestarts")
    return JobStatus(
        name=job.name,
        id=job.id,
        state=job.state,
        running_for=int(overview["duration"]),
        restarts=int(restarts) if restarts is not None else None,
        checkpoints=_checkpoints(rest, job),
        watermark=min(progress.watermarks, default=None),
        splits=[
            SplitStatus(step, number, **values)
            for (step, number), values in sorted(progress.splits.items())
        ],
        ledger=Ledger.of(sorted(progress.counts)),
        failures=[(failure.moment, failure.sentence) for failure in rest.failures(job.id)],
    )


def _ended_overview(rest: FlinkRest, job: FlinkJob, overview: dict[str, Any]) -> dict[str, Any]:
    """The overview once it shows the end: Flink answers from a copy that is some seconds old.

    The accumulators come from the same copy.
    """
    deadline = time.monotonic() + CACHED
    while overview.get("state") not in ENDED and time.monotonic() < deadline:
        time.sleep(FRESH)
        overview = rest.get(f"/jobs/{job.id}")
    return overview


def _live_metrics(
    rest: FlinkRest, job: FlinkJob, vertices: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The wanted metrics of a running job, one for each vertex that has it."""
    paths = [f"/jobs/{job.id}/vertices/{vertex['id']}/subtasks/metrics" for vertex in vertices]
    for path in paths:
        rest.get(path)
    # A request makes the JobManager fetch metrics, but its answer holds those of the time before.
    time.sleep(FRESH)
    for path in paths:
        names = [metric["id"] for metric in rest.get(path)]
        for some in _requests([name for name in names if _is_wanted(name)]):
            yield from rest.get(path, get=",".join(some))


def _is_wanted(name: str) -> bool:
    wanted = (*COUNTS, *REASONS, *SPLIT_GAUGES)
    return name.endswith(OUTPUT_WATERMARK) or (MARK in name and name.rpartition("|")[2] in wanted)


def _requests(names: list[str]) -> Iterator[list[str]]:
    """The names in lists that fit into one address each."""
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


@dataclass
class _Progress:
    """What the counters and gauges of a job say.

    counts: (step, counter, number). splits: gauges by step and partition. watermarks:
    milliseconds since 1970.
    """

    counts: list[tuple[str, str, int]] = field(default_factory=list)
    splits: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    watermarks: list[int] = field(default_factory=list)

    def note_metric(self, metric: dict[str, Any]) -> None:
        """Note a metric of Flink, aggregated over subtasks."""
        name = metric["id"]
        if name.endswith(OUTPUT_WATERMARK):
            low = int(metric["min"])
            # A step without input, such as the start of a source, has ended from the start.
            if low < _END:
                self.watermarks.append(low)
            return
        ours = name.rpartition(MARK)[2]
        self.note(ours, int(metric["max" if _is_gauge(ours) else "sum"]))

    def note(self, name: str, value: int) -> None:
        """Note a counter `STEP|COUNTER` or a gauge `STEP|PARTITION|GAUGE`."""
        step, _, rest = name.partition("|")
        if not _is_gauge(name):
            self.counts.append((step, rest, value))
            return
        partition, _, gauge = rest.partition("|")
        if partition.isdigit():
            self.splits.setdefault((step, int(partition)), {})[gauge] = value


def _is_gauge(name: str) -> bool:
    return name.rpartition("|")[2] in SPLIT_GAUGES


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
    """Whether a watermark (milliseconds since 1970) is a time, not Flink's mark of start or end."""
    return watermark is not None and -(2**53) < watermark < 2**53
