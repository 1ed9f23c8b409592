"""`python -m benchmarks.short`: work (a) on 3 million messages, once.

It fails only if a ratio is under half of its bar.
"""

from __future__ import annotations

import sys

from benchmarks.contenders.contender import Contender, Run
from benchmarks.contenders.flink_sql import FlinkSql
from benchmarks.contenders.programs import PROGRAMS
from benchmarks.contenders.tocsin_on_flink import TocsinOnFlink
from benchmarks.topics import BROKER, broker
from benchmarks.work import WORKS
from infra.cluster.control import down

# The contender that Tocsin is compared with, and half of the bar: other load on the machine cannot
# explain such a difference.
BARS = {"Flink SQL": 1.0, "Bare loop, no framework": 0.35}
WAYS = {"Tocsin on Flink": "parallelism 1", "Flink SQL": "two-phase, no mini-batch, parallelism 1"}


def warm_run(contender: Contender, brokers: str) -> Run:
    """The second run if the first is a cold one; its answer must be right."""
    work = WORKS["a3"]
    with contender.up(work, WAYS.get(contender.name, ""), "hashmap", brokers) as session:
        run = session.run(True)
        if contender.has_cold_runs:
            run = session.run(False)
        found = session.check(BROKER.folder)
    print(f"{contender.name}: {run.rate:,.0f} readings a CPU-second, {found}", flush=True)
    if str(found) != "right":
        raise RuntimeError(f"{contender.name}: {found}")
    return run


def main() -> int:
    """Return 1 if Tocsin is under half of a bar."""
    brokers = broker()
    try:
        WORKS["a3"].fill(brokers)
        ours, *others = [
            warm_run(one, brokers) for one in (TocsinOnFlink(), FlinkSql(), PROGRAMS["bare"])
        ]
    finally:
        down(BROKER)
    failed = 0
    for other in others:
        ratio, bar = ours.rate / other.rate, BARS[other.contender]
        failed += ratio < bar
        print(f"{ratio:.2f} times {other.contender}; fails under {bar}")
    print(f"{len(others) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
