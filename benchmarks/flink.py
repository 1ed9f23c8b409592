"""Jobs on a Flink started for one contender, measured from submission to the end."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measuring import Cost, Memory, processor_seconds
from infra.cluster.control import down, rest, state, up
from infra.cluster.processes import forget
from infra.cluster.settings import ROOT, Cluster

ENGINE = ("taskmanager", "workers")
_ENDED = ("FINISHED", "FAILED", "CANCELED")


def flink_cluster(name: str, libraries: Path | None = None, **settings: Any) -> Cluster:
    """A Flink without a broker. libraries: jars for jobs without Beam."""
    only = (
        "zookeeper",
        "jobmanager",
        "taskmanager",
        *(("jobserver", "workers") if libraries is None else ()),
    )
    return Cluster(
        folder=ROOT / ".bench" / name, offset=7000, only=only, libraries=libraries, **settings
    )


@contextmanager
def running(cluster: Cluster) -> Iterator[Cluster]:
    """Start it without the data of earlier runs; stop it at the end."""
    forget(cluster)
    try:
        up(cluster)
        yield cluster
    finally:
        down(cluster)


def jobs(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """All jobs by id."""
    return {job["jid"]: job for job in rest(cluster, "/jobs/overview")["jobs"]}


def counted(cluster: Cluster, step: str, what: str = "given") -> int:
    """Rows that a Tocsin step has emitted, read or kept, from the TaskManager's metrics."""
    port = cluster.port("jobmanager_metrics")
    total = 0
    for number in (port, port + 1):
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/metrics", timeout=20) as answer:
            found = re.findall(
                rf"^\S*_tocsin_{step}_{what}{{.*}} (\S+)$", answer.read().decode(), re.MULTILINE
            )
        total += int(sum(float(value) for value in found))
    return total


def measured(
    cluster: Cluster,
    submit: Callable[[], None],
    is_done: Callable[[], bool] | None = None,
    limit: float = 900,
) -> tuple[Cost, dict[str, Any]]:
    """Cost of the job that `submit` starts, and Flink's metrics. Raises RuntimeError if it fails.

    is_done: polled each second for a live job, which is then cancelled; its wall time has a
    resolution of one second.
    """
    pids = {name: process["pid"] for name, process in state(cluster)["processes"].items()}
    before = {name: processor_seconds(pid) for name, pid in pids.items()}
    own = _clients()
    earlier = set(jobs(cluster))
    memory = Memory([pids[name] for name in ENGINE if name in pids])
    memory.start()
    deadline = time.monotonic() + limit
    submit()
    client = _clients() - own
    while True:
        new = [job for jid, job in jobs(cluster).items() if jid not in earlier]
        if new and new[0]["state"] in _ENDED:
            break
        if is_done is not None and new and is_done():
            break
        failure = (
            rest(cluster, f"/jobs/{new[0]['jid']}/exceptions")["root-exception"] if new else None
        )
        if failure:
            raise RuntimeError(f"{new[0]['name']} started again: {failure[:2000]}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"no end within {limit:.0f} s: {new}")
        time.sleep(0.2 if is_done is None else 1)
    job = new[0]
    if job["state"] != ("FINISHED" if is_done is None else "RUNNING"):
        causes = rest(cluster, f"/jobs/{job['jid']}/exceptions")
        raise RuntimeError(f"{job['name']} {job['state']}: {str(causes)[:2000]}")
    if is_done is None:
        # A worker ends after its job; its processor time counts.
        time.sleep(1.5)
    parts = {name: processor_seconds(pid) - before[name] for name, pid in pids.items()}
    engine = sum(seconds for name, seconds in parts.items() if name in ENGINE)
    parts["client"] = client
    cost = Cost(job["duration"] / 1000, engine, sum(parts.values()) - engine, memory.stop(), parts)
    answer = rest(cluster, f"/jobs/{job['jid']}")
    if is_done is not None:
        cancelled(cluster, job["jid"])
    return cost, answer


def cancelled(cluster: Cluster, job: str) -> None:
    """End a job and wait until it has ended."""
    request = urllib.request.Request(
        f"http://{cluster.at('flink_rest')}/jobs/{job}?mode=cancel", method="PATCH"
    )
    urllib.request.urlopen(request, timeout=20).close()
    while jobs(cluster)[job]["state"] not in _ENDED:
        time.sleep(0.2)


@contextmanager
def submitted(cluster: Cluster, file: str, *options: str, **environment: str) -> Iterator[None]:
    """A live Tocsin job, cancelled at the end."""
    earlier = set(jobs(cluster))
    command = [sys.executable, "-m", "tocsin", "submit", file, *options]
    program(command, {**cluster.environment(), **environment}, cluster.folder / "submit.log")
    (identity,) = set(jobs(cluster)) - earlier
    try:
        yield
    finally:
        cancelled(cluster, identity)


def _clients() -> float:
    """Processor seconds of this process's children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def program(arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
    """Run a client to its end. Raises RuntimeError with the end of its output."""
    with log.open("ab") as file:
        found = subprocess.run(
            arguments,
            env={**os.environ, **environment},
            stdout=file,
            stderr=file,
            cwd=ROOT,
            check=False,
            timeout=300,
        )
    if found.returncode:
        raise RuntimeError(
            f"{' '.join(arguments[:4])} … ended with {found.returncode}: {log.read_text()[-2000:]}"
        )


def checkpoint_summary(cluster: Cluster, job: str) -> dict[str, Any]:
    """Number of checkpoints, mean duration (seconds) and greatest size (MiB)."""
    answer = rest(cluster, f"/jobs/{job}/checkpoints")
    summary = answer["summary"]
    return {
        "completed": answer["counts"]["completed"],
        "seconds": summary["end_to_end_duration"]["avg"] / 1000,
        "size": summary["state_size"]["max"] / 2**20,
    }
