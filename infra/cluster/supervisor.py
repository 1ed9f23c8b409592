"""Keeps the processes of a cluster alive: restarts those that end, as an orchestrator would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

from infra.cluster.private import OTHERS
from infra.cluster.processes import Process, prepare, processes
from infra.cluster.settings import ROOT, Cluster, listens

PAUSE = 1.0
# A process with a file of its name in the folder `held` is not restarted.
HELD = "held"


class Supervisor:
    """Runs until SIGTERM or SIGINT; reports in `processes.json`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.starts: dict[str, int] = {}
        self.ending = False

    def run(self) -> None:
        """Start each process when the one before it answers; then watch them."""
        os.umask(OTHERS)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        prepare(self.cluster)
        wanted = processes(self.cluster)
        for process in wanted:
            self._start(process)
            # Flink, the job server and the workers find one another when all are up; ZooKeeper and
            # Kafka start first.
            while (
                process.name in ("kafka", "zookeeper")
                and not self._answers(process)
                and not self.ending
            ):
                time.sleep(0.1)
                self._revive([process])
        while not self.ending:
            time.sleep(0.2)
            self._revive(wanted)
        for name in reversed([process.name for process in wanted]):
            self._stop(name)

    def _answers(self, process: Process) -> bool:
        return process.ready is None or listens(
            self.cluster.host_of(process.ready), self.cluster.port(process.ready)
        )

    def _start(self, process: Process) -> None:
        log = self.cluster.logs / f"{process.name}.log"
        with log.open("ab") as file:
            environment = {**os.environ, "FLINK_CONF_DIR": str(self.cluster.folder / "conf")}
            environment["TMPDIR"] = str(self.cluster.temporary)
            environment["FLINK_PLUGINS_DIR"] = str(self.cluster.jars_flink / "plugins")
            started = subprocess.Popen(
                process.command,
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        self.running[process.name] = started
        self.starts[process.name] = self.starts.get(process.name, 0) + 1
        self._note()

    def _revive(self, wanted: list[Process]) -> None:
        for process in wanted:
            known = self.running.get(process.name)
            if (
                known is None
                or known.poll() is None
                or (self.cluster.folder / HELD / process.name).exists()
            ):
                continue
            time.sleep(PAUSE)
            if not self.ending:
                self._start(process)

    def _stop(self, name: str) -> None:
        known = self.running.get(name)
        if known is None or known.poll() is not None:
            return
        # A stopped process cannot end.
        _signal_group(known.pid, signal.SIGCONT)
        _signal_group(known.pid, signal.SIGTERM)
        try:
            known.wait(5)
        except subprocess.TimeoutExpired:
            _signal_group(known.pid, signal.SIGKILL)
            known.wait()

    def _note(self) -> None:
        known = {
            name: {"pid": process.pid, "starts": self.starts[name]}
            for name, process in self.running.items()
        }
        text = json.dumps({"supervisor": os.getpid(), "processes": known}, indent=1)
        unfinished = self.cluster.folder / "processes.json.part"
        unfinished.write_text(text, "utf-8")
        unfinished.rename(self.cluster.folder / "processes.json")

    def _end(self, *_: Any) -> None:
        self.ending = True


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


if __name__ == "__main__":
    # Settings hold passwords, and every user of the machine can read a command line.
    Supervisor(Cluster.from_json(sys.stdin.read())).run()
