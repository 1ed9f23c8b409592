"""The stage of a fault run: a cluster, traffic, the job by Tocsin's own command, the oracle."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from infra.cluster.control import alive, down, health, rest, state, up
from infra.cluster.settings import ROOT, Cluster
from tests.faults.oracle import Oracle
from tests.faults.proxy import Proxy
from tests.faults.traffic import WINDOW, Traffic
from tests.support.tables import live_files

HERE = Path(__file__).parent
JOB = HERE / "survive.yaml"
# Heartbeats and a hung checkpoint time out after this; both are settings of cluster and job.
CHECKPOINT_TIMEOUT = 20


def mount(folder: Path) -> bool:
    """Make a folder a small disk of its own; return whether this machine allows it."""
    command = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)]
    return (
        shutil.which("mount") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@dataclass
class Stage:
    """Everything that a fault may act on. Use as a context manager."""

    folder: Path
    seed: int = 1
    offset: int = 10_000
    topic: str = "faults.readings"
    alarms: str = "faults.alarms"
    rejects: str = "faults.rejects"
    parallelism: int = 1
    threshold: int = 50
    cluster: Cluster = field(init=False)

    def __post_init__(self) -> None:
        self.cluster = Cluster(
            folder=self.folder / "cluster", offset=self.offset, proxied=True, slots=2
        )
        self._ending = threading.Event()
        self._moved: list[float] = []
        self.lake, self.failpoints = self.folder / "lake", self.folder / "failpoints"

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.lake, self.failpoints):
            folder.mkdir(parents=True)
        mount(self.lake)
        os.environ["TOCSIN_FAILPOINTS"] = str(self.failpoints)
        self.proxy = Proxy(self.cluster.port("kafka_proxy"), self.cluster.port("kafka_proxied"))
        up(self.cluster)
        self.brokers = self.cluster.at("kafka")
        self.admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
        wanted = [
            NewTopic(self.topic, 2, 1),
            NewTopic(self.alarms, 2, 1),
            NewTopic(self.rejects, 1, 1),
        ]
        for future in self.admin.create_topics(wanted).values():
            future.result(30)
        self.traffic = Traffic(self.brokers, self.topic, self.seed)
        self.oracle = Oracle(self.brokers, self.topic)
        self.traffic.start()
        self.submit()
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if hasattr(self, "traffic"):
            self.traffic.end()
        self.proxy.mode = "open"
        down(self.cluster)
        subprocess.run(["umount", "-l", str(self.lake)], capture_output=True, check=False)

    # Tocsin's command.

    def command(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`tocsin …` as a user runs it; brokers are reached through the proxy."""
        environment = {
            **os.environ,
            **self.cluster.environment(),
            "TOCSIN_BROKERS": self.cluster.at("kafka_proxy"),
            "LAKE": str(self.lake),
            "TOCSIN_ALLOW_FOLDERS": str(self.lake),
            "FAULT_TOPIC": self.topic,
            "ALARM_TOPIC": self.alarms,
            "REJECT_TOPIC": self.rejects,
            "THRESHOLD": str(self.threshold),
        }
        command = [sys.executable, "-m", "tocsin", *map(str, arguments)]
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
            timeout=240,
            check=False,
        )
        if check and found.returncode:
            raise RuntimeError(f"{' '.join(command[2:])}: {found.stdout}{found.stderr}")
        return found

    def submit(self) -> None:
        """Start the job without any state."""
        self.command(
            "submit",
            JOB,
            "--parallelism",
            self.parallelism,
            "--checkpoint-timeout",
            CHECKPOINT_TIMEOUT,
        )

    def upgrade(self) -> None:
        """Upgrade the job to the current threshold and parallelism."""
        self.command(
            "upgrade",
            JOB,
            "--parallelism",
            self.parallelism,
            "--checkpoint-timeout",
            CHECKPOINT_TIMEOUT,
        )

    def status(self) -> dict[str, Any]:
        """`tocsin status --json`."""
        found: dict[str, Any] = json.loads(self.command("status", "survive", "--json").stdout)
        return found

    def restarted(self) -> int:
        """When Flink last restarted the job, milliseconds; 0 for never.

        Flink's metric of restarts lags behind a lost TaskManager.
        """
        try:
            running = [
                job
                for job in self.rest("/jobs/overview")["jobs"]
                if job["state"] in ("RUNNING", "RESTARTING", "FAILING")
            ]
            times = self.rest(f"/jobs/{running[0]['jid']}")["timestamps"] if running else {}
        except OSError:
            # A JobManager that is starting.
            return -1
        return max(int(times.get("RESTARTING", 0)), int(times.get("INITIALIZING", 0)))

    # Processes.

    def pid(self, name: str) -> int:
        """The pid of a process of the cluster."""
        return int(state(self.cluster)["processes"][name]["pid"])

    def worker_pids(self) -> list[int]:
        """Python workers of this cluster, including those that outlived their pool."""
        found = subprocess.run(
            ["pgrep", "-x", "tocsin-worker"], capture_output=True, text=True, check=False
        )
        return [pid for pid in map(int, found.stdout.split()) if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"TOCSIN_FAILPOINTS={self.failpoints}".encode() in variables

    def kill(self, name: str) -> None:
        """kill -9, and wait until it is gone."""
        self.kill_pid(self.pid(name))

    @staticmethod
    def kill_pid(pid: int) -> None:
        """kill -9, and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        while alive(pid):
            time.sleep(0.01)

    def wait_for(self, what: str, true: Any, patience: float = 90) -> float:
        """Wait until a condition holds; return the seconds. Raises TimeoutError."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > patience:
                raise TimeoutError(f"no {what} within {patience} s; {health(self.cluster)}")
            time.sleep(0.1)
        return time.monotonic() - began

    def rest(self, path: str) -> Any:
        """Flink's REST interface."""
        return rest(self.cluster, path)

    def add_partition(self) -> int:
        """Add a partition; return their number."""
        number = self.traffic.partitions + 1
        self.admin.create_partitions([NewPartitions(self.topic, number)])[self.topic].result(30)
        return number

    def last_words(self, lines: int = 25) -> str:
        """The end of each process's logs and its number of starts, for a failed round."""
        starts = {name: known["starts"] for name, known in state(self.cluster)["processes"].items()}
        found = [f"starts: {starts}"]
        for log in sorted(self.cluster.logs.glob("*.log")):
            written = log.read_text("utf-8", errors="replace").splitlines()[-lines:]
            found += [f"--- {log.name}", *(line[:250] for line in written)]
        return "\n".join(found)

    # Output.

    def newest_output(self) -> int:
        """End of the newest window in the lake, microseconds; 0 for none."""
        newest = 0
        for file in live_files(self.lake, "windows"):
            stamp = re.match(r"(\d{8}T\d{6})Z", file.name)
            if stamp:
                moment = datetime.strptime(stamp[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
                newest = max(newest, int(moment.timestamp()))
        return newest * 1_000_000 + WINDOW if newest else 0

    def _watch(self) -> None:
        """Record when newer output appears."""
        newest = 0
        while not self._ending.wait(0.4):
            found = self.newest_output()
            if found > newest:
                newest = found
                self._moved.append(time.time())

    def silence(self, since: float) -> float:
        """The longest time, in seconds, without newer output from a moment until now."""
        moments = [since, *(moment for moment in list(self._moved) if moment > since), time.time()]
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def wait_for_output(self, moment: int, patience: float = 75) -> float:
        """Seconds until a window that ends after a moment (microseconds) is in the lake."""
        return self.wait_for(
            f"output of after {moment}", lambda: self.newest_output() > moment, patience
        )
