"""`python -m benchmarks.accounting`: where the processor time of a job on Flink goes.

Writes a table and a flame graph of the worker.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contenders.tocsin_on_flink import TocsinOnFlink
from benchmarks.measuring import children, processor_seconds
from benchmarks.topics import broker
from benchmarks.work import WORKS, Work
from infra.cluster.control import state
from tocsin.profile.attribution import java_seconds_by_part, seconds_by_part
from tocsin.profile.flame_graph import flame_graph
from tocsin.profile.stacks import Spy, recording, weighed
from tocsin.profile.threads import Thread, ThreadTimes


class Watched(threading.Thread):
    """Samples the next job's worker and the TaskManager until the worker ends."""

    def __init__(self, taskmanager: int, pool: int) -> None:
        super().__init__(daemon=True)
        self._pool, self._known = pool, set(children(pool))
        self._taskmanager = taskmanager
        self._ended = threading.Event()
        self.worker: dict[int, Thread] = {}
        self.java: dict[int, Thread] = {}
        self.worker_total = self.java_total = 0.0
        self.spy = Spy()

    def run(self) -> None:
        """Sample both."""
        pid = self._appeared()
        before = processor_seconds(self._taskmanager)
        java, own = ThreadTimes(self._taskmanager), ThreadTimes(pid)
        with ExitStack() as stack:
            self.spy = stack.enter_context(recording(pid))
            java.start()
            own.start()
            while not self._ended.wait(0.1) and Path(f"/proc/{pid}").exists():
                self.worker_total = processor_seconds(pid) or self.worker_total
            self.java_total = processor_seconds(self._taskmanager) - before
        self.worker, self.java = own.stop(), java.stop()

    def _appeared(self) -> int:
        while True:
            for pid in set(children(self._pool)) - self._known:
                if Path(f"/proc/{pid}/comm").read_text().strip() == "tocsin-worker":
                    return pid
            time.sleep(0.02)

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()


def measure(work: Work, backend: str, brokers: str) -> tuple[str, str]:
    """The table and the flame graph of a warm run."""
    with TocsinOnFlink().up(work, "parallelism 1", backend, brokers) as session:
        session.run(True)
        processes = state(session.cluster)["processes"]
        watched = Watched(processes["taskmanager"]["pid"], processes["workers"]["pid"])
        watched.start()
        run = session.run(False)
        watched.end()
    weights = weighed(watched.spy.stacks(), watched.worker)
    worker = seconds_by_part(weights, watched.worker_total)
    java = java_seconds_by_part(watched.java, watched.java_total)
    total = watched.worker_total + watched.java_total
    rows = [("worker", part, seconds) for part, seconds in worker.items()]
    rows += [("TaskManager", part, seconds) for part, seconds in java.items()]
    lines = ["| process | part | CPU-seconds | share | ns a reading |", "|---|---|---|---|---|"]
    each = 1e9 / work.readings.count
    for process, part, seconds in [*rows, ("both", "**all**", total)]:
        lines.append(
            f"| {process} | {part} | {seconds:.2f} | {100 * seconds / total:.1f} % "
            f"| {seconds * each:,.0f} |"
        )
    lines.append(
        f"\n{run.readings:,} readings, {run.readings / total:,.0f} a CPU-second during the samples."
    )
    return "\n".join(lines), flame_graph(weights, f"worker, {work.title}")


def main() -> None:
    """Write a page and a flame graph."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accounting", description=__doc__)
    parser.add_argument("--work", choices=WORKS, default="a12")
    parser.add_argument("--backend", choices=["hashmap", "rocksdb"], default="hashmap")
    parser.add_argument("--report", type=Path, default=Path("docs/reports/accounting.md"))
    options = parser.parse_args()
    brokers = broker()
    work = WORKS[options.work]
    work.fill(brokers)
    table, flame = measure(work, options.backend, brokers)
    options.report.with_suffix(".svg").write_text(flame)
    command = " ".join(["python -m benchmarks.accounting", *sys.argv[1:]])
    options.report.write_text(
        _PAGE.format(command=command, title=work.title, flame=options.report.stem, table=table)
    )
    print(table)


_PAGE = """# Where the time goes

Measured by `{command}`: a warm run on Flink of
{title}, parallelism 1.

py-spy samples the worker's stacks 100 times a second. The processor time of each thread is divided
over the stacks in which the thread was working. A stack belongs to the part of its innermost known
frame (`tocsin/profile/attribution.py`). The threads of the TaskManager have names of their own. So
the parts add up to the whole. `tocsin run --profile FOLDER` does the same for a job on the local
runner.

{table}

[The worker's flame graph]({flame}.svg)
"""

if __name__ == "__main__":
    main()
