"""Bring a cluster up and down, and check its health."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.cluster.download import Missing, fetch
from infra.cluster.listeners import listeners
from infra.cluster.private import OTHERS, Foreign, private_folder, write_private
from infra.cluster.processes import processes
from infra.cluster.settings import ROOT, Cluster, listens

PATIENCE = 90.0
# A process that started this often will not become healthy.
HOPELESS = 5


def up(cluster: Cluster) -> float:
    """Start the processes that are not running; return the seconds until all are healthy.

    Raises Missing with the problems.
    """
    fetch(cluster)
    began = time.monotonic()
    if supervisor(cluster) is None:
        wanted = {
            cluster.port(process.ready): process.name
            for process in processes(cluster)
            if process.ready is not None
        }
        taken = {port: name for port, name in wanted.items() if listens("127.0.0.1", port)}
        if taken:
            ports = ", ".join(f"{port} ({name})" for port, name in taken.items())
            raise Missing(
                f"something else listens on port {ports}; "
                "stop it, or add --offset 1000 to use other ports"
            )
        _supervise(cluster)
    while problems := unready(cluster):
        waited = time.monotonic() - began
        hopeless = any(
            known["starts"] >= HOPELESS for known in state(cluster)["processes"].values()
        )
        if waited > PATIENCE or (hopeless and waited < PATIENCE / 2):
            raise Missing("not healthy after {:.0f} s:\n  {}".format(waited, "\n  ".join(problems)))
        time.sleep(0.25)
    if wide := open_ports(cluster):
        raise Missing("open wider than it may be:\n  {}".format("\n  ".join(wide)))
    write_private(
        cluster.folder / "env",
        "".join(f"export {n}={v}\n" for n, v in cluster.environment().items()),
    )
    return time.monotonic() - began


def _supervise(cluster: Cluster) -> None:
    try:
        private_folder(cluster.folder)
    except Foreign as problem:
        raise Missing(str(problem)) from None
    with (cluster.folder / "supervisor.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "infra.cluster.supervisor"],
            cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.PIPE, start_new_session=True,
            umask=OTHERS,
        )  # fmt: skip
    assert started.stdin is not None
    with started.stdin as settings:
        settings.write(cluster.to_json().encode())


def down(cluster: Cluster) -> bool:
    """Stop everything; return whether anything was running."""
    known = supervisor(cluster)
    if known is None:
        return False
    os.kill(known, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while alive(known) and time.monotonic() < deadline:
        time.sleep(0.1)
    return True


def state(cluster: Cluster) -> dict[str, Any]:
    """The supervisor's report: processes by name, with pid and number of starts."""
    try:
        text = (cluster.folder / "processes.json").read_text("utf-8")
    except FileNotFoundError:
        return {"supervisor": None, "processes": {}}
    found: dict[str, Any] = json.loads(text)
    return found


def supervisor(cluster: Cluster) -> int | None:
    """The supervisor's pid, or None if it is not alive."""
    pid = state(cluster)["supervisor"]
    return pid if pid is not None and alive(pid) else None


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def health(cluster: Cluster) -> list[str]:
    """The problems, a sentence each; empty for a healthy cluster."""
    problems = unready(cluster)
    return problems if supervisor(cluster) is None else [*problems, *open_ports(cluster)]


def unready(cluster: Cluster) -> list[str]:
    """A sentence for each process that does not run or does not answer yet."""
    if supervisor(cluster) is None:
        return ["nothing runs (`make cluster` starts it)"]
    known, problems = state(cluster)["processes"], []
    for process in processes(cluster):
        name, log = process.name, cluster.logs / f"{process.name}.log"
        if name not in known:
            problems.append(f"{name} was not started yet")
        elif not alive(known[name]["pid"]):
            problems.append(
                f"{name} ended ({known[name]['starts']} starts): {last_line(cluster, name)} ({log})"
            )
        elif process.ready is not None and not listens(
            cluster.host_of(process.ready), cluster.port(process.ready)
        ):
            problems.append(f"{name} does not answer at port {cluster.port(process.ready)} ({log})")
    if not problems and "taskmanager" in known:
        try:
            overview = rest(cluster, "/overview")
        except OSError as error:
            return [f"Flink's REST interface does not answer: {error}"]
        if overview["taskmanagers"] < 1:
            problems.append("no TaskManager has registered with the JobManager")
    return problems


def open_ports(cluster: Cluster) -> list[str]:
    """A sentence for each port that is open wider than loopback and the cluster's own address.

    A port is open to whoever reaches its address, and most of a cluster's ports run code for them.
    """
    pids = {name: known["pid"] for name, known in state(cluster)["processes"].items()}
    try:
        found = listeners(pids)
    except PermissionError as error:
        return [f"the cluster's ports cannot be read, so it is unknown who reaches them: {error}"]
    problems = (one.problem(allowed=(cluster.host,)) for one in found)
    return [problem for problem in problems if problem is not None]


def rest(cluster: Cluster, path: str) -> Any:
    """An answer of Flink's REST interface."""
    with urllib.request.urlopen(f"http://{cluster.at('flink_rest')}{path}", timeout=5) as answer:
        return json.load(answer)


def last_line(cluster: Cluster, name: str) -> str:
    """The last line of a process's log."""
    try:
        lines = (
            (cluster.logs / f"{name}.log").read_text("utf-8", errors="replace").strip().splitlines()
        )
    except FileNotFoundError:
        return "no log"
    return lines[-1][:300] if lines else "its log is empty"
