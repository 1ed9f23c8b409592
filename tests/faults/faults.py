"""The faults.

Each acts on a running stage, raises Missed if it had no effect, and returns when its cause is over.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from infra.cluster.control import alive, health, state
from infra.cluster.processes import processes
from tests.faults.stage import Stage, mount
from tocsin.foundation.failpoint import ALARMS, LAKE

FILTER = "tocsin_faults"


class Missed(Exception):
    """No fault struck: the round proves nothing."""


def _struck(true: bool, what: str) -> None:
    if not true:
        raise Missed(what)


def kill_worker(stage: Stage) -> None:
    """kill -9 of a Python worker."""
    pids = stage.worker_pids()
    _struck(bool(pids), "no worker")
    stage.kill_pid(pids[0])


def _kill(name: str) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        before = state(stage.cluster)["processes"][name]["starts"]
        stage.kill(name)
        stage.wait_for(
            f"start of {name}", lambda: state(stage.cluster)["processes"][name]["starts"] > before
        )

    strike.__doc__ = f"kill -9 of the {name}; an orchestrator starts it again."
    return strike


def _pause_broker(seconds: float) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        pid = stage.pid("kafka")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

    strike.__doc__ = f"The broker pauses for {seconds:.0f} s (SIGSTOP)."
    return strike


def full_disk(stage: Stage) -> None:
    """The lake's disk is full for 8 s."""
    filler = stage.lake / "filler"
    free = shutil.disk_usage(stage.lake).free
    with filler.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * min(free, 2**20))
                file.flush()
        except OSError:
            pass
    _struck(shutil.disk_usage(stage.lake).free < 65536, "the disk is not full")
    before = stage.newest_output()
    time.sleep(8)
    _struck(stage.newest_output() <= before + 4_000_000, "the job wrote to a full disk")
    filler.unlink()


def poison(stage: Stage) -> None:
    """60 invalid messages: garbage, empty, of an unknown schema, and out of range."""
    stage.traffic.poison = 60
    stage.wait_for("poison sent", lambda: stage.traffic.poison <= 0, 30)


def partition_added(stage: Stage) -> None:
    """The topic gets a new partition, with sensors of its own."""
    stage.traffic.partitions = stage.add_partition()


def schema_changed(stage: Stage) -> None:
    """The sensors change their schema: a new field, and another order."""
    stage.traffic.schema = 3 - stage.traffic.schema


def repeated(stage: Stage) -> None:
    """1,500 messages of the last seconds are sent again, shuffled."""
    before = stage.traffic.sent
    stage.traffic.again = 1500
    stage.wait_for("repetition", lambda: stage.traffic.again == 0, 30)
    _struck(stage.traffic.sent >= before + 1500, "too few messages to repeat")


def replayed(stage: Stage) -> None:
    """The job restarts without its state and reads the whole topic again, over the same output."""
    stage.command("stop", "survive", "--discard")
    stage.submit()
    # With windows of 2 s and transactions of 1 s it catches up at four times the clock's speed.
    stage.wait_for_output(int((time.time() - 25) * 1e6), 400)


def upgraded(stage: Stage) -> None:
    """Savepoint, stop, start with another threshold."""
    stage.threshold = 55 if stage.threshold == 50 else 50
    stage.upgrade()


def rescaled(stage: Stage) -> None:
    """Parallelism from 1 to 2, or back."""
    stage.parallelism = 3 - stage.parallelism
    stage.upgrade()


def zombie_worker(stage: Stage) -> None:
    """A worker pauses until the job has restarted without it, then resumes."""
    pids = stage.worker_pids()
    _struck(bool(pids), "no worker")
    before = stage.restarted()
    os.kill(pids[0], signal.SIGSTOP)
    try:
        stage.wait_for("restart", lambda: stage.restarted() > before, 90)
    finally:
        if alive(pids[0]):
            os.kill(pids[0], signal.SIGCONT)


def zombie_taskmanager(stage: Stage) -> None:
    """A TaskManager pauses until another has taken over its work, then resumes."""
    spare = next(process for process in processes(stage.cluster) if process.name == "taskmanager")
    pid, before = stage.pid("taskmanager"), stage.restarted()
    with (stage.cluster.logs / "spare.log").open("ab") as log:
        environment = {**os.environ, "FLINK_CONF_DIR": str(stage.cluster.folder / "conf")}
        helper = subprocess.Popen(
            spare.command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        stage.wait_for(
            "second TaskManager", lambda: stage.rest("/overview")["taskmanagers"] >= 2, 40
        )
        os.kill(pid, signal.SIGSTOP)
        try:
            stage.wait_for("restart", lambda: stage.restarted() > before and _runs(stage), 90)
            stage.wait_for_output(int(time.time() * 1e6))
        finally:
            os.kill(pid, signal.SIGCONT)
        time.sleep(3)
    finally:
        helper.kill()
        helper.wait()


def zombie_jobmanager(stage: Stage) -> None:
    """The JobManager pauses for longer than its lease and the TaskManagers' timeout."""
    pid, before = stage.pid("jobmanager"), stage.restarted()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(25)
    if alive(pid):
        os.kill(pid, signal.SIGCONT)
    stage.wait_for("restart", lambda: stage.restarted() != before and _runs(stage), 90)


def network_cut(stage: Stage) -> None:
    """A packet filter drops all packets between TaskManager and JobManager for 20 s."""
    taskmanagers = [
        found["path"].partition("@")[2].partition("/")[0]
        for found in stage.rest("/taskmanagers")["taskmanagers"]
    ]
    known = [str(stage.cluster.port(name)) for name in ("flink_rpc", "flink_blob")]
    ports = ", ".join([*known, *(address.rpartition(":")[2] for address in taskmanagers)])
    before = stage.restarted()
    rules = "".join(
        f"add rule inet {FILTER} out tcp {side} {{ {ports} }} counter drop\n"
        for side in ("dport", "sport")
    )
    chain = f"{FILTER} out {{ type filter hook output priority 0; }}"
    table = f"add table inet {FILTER}\nadd chain inet {chain}\n"
    subprocess.run(["nft", "-f", "-"], input=table + rules, text=True, check=True)
    try:
        time.sleep(20)
        dropped = subprocess.run(
            ["nft", "list", "table", "inet", FILTER], capture_output=True, text=True, check=True
        ).stdout
    finally:
        subprocess.run(["nft", "delete", "table", "inet", FILTER], check=True)
    _struck(
        any(int(number) > 0 for number in re.findall(r"packets (\d+)", dropped)),
        "no packet was dropped",
    )
    stage.wait_for("restart", lambda: stage.restarted() != before and _runs(stage), 90)


def _runs(stage: Stage) -> bool:
    try:
        jobs = stage.rest("/jobs/overview")["jobs"]
    except OSError:
        # A JobManager that is starting.
        return False
    return any(
        job["state"] == "RUNNING" and job["tasks"]["running"] == job["tasks"]["total"]
        for job in jobs
    )


def _proxied(mode: str, seconds: float) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        before = stage.proxy.passed
        stage.wait_for("bytes through the proxy", lambda: stage.proxy.passed > before, 20)
        stage.proxy.mode = mode
        time.sleep(seconds)
        stage.proxy.mode = "open"

    strike.__doc__ = f"The connection between the workers and Kafka is {mode} for {seconds:.0f} s."
    return strike


def reset_connections(stage: Stage) -> None:
    """Every connection between the workers and Kafka is reset, five times."""
    number = 0
    for _ in range(5):
        number += stage.proxy.reset()
        time.sleep(0.5)
    _struck(number > 0, "no connection to reset")


def _failpoint(name: str) -> Callable[[Stage], None]:
    def strike(stage: Stage) -> None:
        file: Path = stage.failpoints / name
        file.touch()
        try:
            stage.wait_for(f"death at {name}", lambda: not file.exists(), 60)
        except TimeoutError:
            file.unlink(missing_ok=True)
            raise Missed(f"no process came to {name}") from None

    strike.__doc__ = f"A worker dies at the step {name} of a commit."
    return strike


def well(stage: Stage) -> bool:
    """Whether the cluster is healthy."""
    return not health(stage.cluster)


FAULTS: dict[str, Callable[[Stage], None]] = {
    "worker killed": kill_worker,
    "TaskManager killed": _kill("taskmanager"),
    "JobManager killed": _kill("jobmanager"),
    "job server killed": _kill("jobserver"),
    "worker pool killed": _kill("workers"),
    "broker killed": _kill("kafka"),
    "broker paused 30 s": _pause_broker(30),
    "lake disk full": full_disk,
    "poison messages": poison,
    "partition added": partition_added,
    "schema changed": schema_changed,
    "messages repeated, shuffled": repeated,
    "whole topic replayed": replayed,
    "upgrade, new threshold": upgraded,
    "rescaled": rescaled,
    "zombie worker": zombie_worker,
    "zombie TaskManager": zombie_taskmanager,
    "zombie JobManager": zombie_jobmanager,
    "JobManager cut off 20 s": network_cut,
    "Kafka cut off 15 s": _proxied("cut", 15),
    "Kafka slow 10 s": _proxied("slow", 10),
    "connections reset": reset_connections,
    **{f"crash at {name}": _failpoint(name) for name in (*LAKE, *ALARMS)},
}
# Every change is tested with these; the long form has the others, in random order.
SHORT = (
    "worker killed",
    "TaskManager killed",
    "poison messages",
    "schema changed",
    "partition added",
    "crash at lake.written",
    "crash at alarms.marked",
    "connections reset",
    "upgrade, new threshold",
)


def impossible() -> dict[str, str]:
    """The faults that this machine cannot make, with what they need."""
    found = {}
    if shutil.which("nft") is None:
        found["JobManager cut off 20 s"] = "nftables"
    with tempfile.TemporaryDirectory() as folder:
        if mount(Path(folder)):
            subprocess.run(["umount", "-l", folder], check=True)
        else:
            found["lake disk full"] = "the right to mount a disk"
    return found


# The greatest number in one run: partitions stay, and long topics take long to read again.
MOST = {"partition added": 2, "whole topic replayed": 1}
# A topic that is read again from its beginning should be short.
EARLY = "whole topic replayed"
