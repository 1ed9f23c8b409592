"""`python -m benchmarks`: every contender on the same messages, in turns, in one run."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.contenders.contender import Contender, Run
from benchmarks.contenders.flink_programs import FLINK_PROGRAMS
from benchmarks.contenders.flink_sql import FlinkSql
from benchmarks.contenders.programs import PROGRAMS
from benchmarks.contenders.tocsin_on_flink import TocsinOnFlink
from benchmarks.report import write
from benchmarks.topics import BROKER, broker
from benchmarks.work import WORKS, Work

CONTENDERS: dict[str, Contender] = {
    "tocsin": TocsinOnFlink(),
    "sql": FlinkSql(),
    **FLINK_PROGRAMS,
    **PROGRAMS,
}


def main() -> None:
    """Alternate, measure, compare the answers, report."""
    options = _options()
    brokers = broker()
    found: list[Run] = []
    verdicts: dict[str, str] = {}
    for name in options.work:
        work = WORKS[name]
        work.fill(brokers)
        for _ in range(options.repeat):
            for key in options.contenders:
                contender = CONTENDERS[key]
                if not contender.can(work):
                    continue
                for backend in options.backends if contender.has_cold_runs else ["memory"]:
                    found += _turn(contender, work, backend, brokers, options, verdicts)
    write(options.report, " ".join(["python -m benchmarks", *sys.argv[1:]]), found, verdicts, CONTENDERS)
    raw = [{**asdict(run), "verdict": verdicts.get(_key(run.contender, run.work, run.backend), "")} for run in found]
    options.report.with_suffix(".json").write_text(json.dumps(raw, indent=1))


def _turn(
    contender: Contender, work: Work, backend: str, brokers: str, options: argparse.Namespace, verdicts: dict[str, str]
) -> list[Run]:
    found = []
    for detail in contender.details():
        if options.only and detail and options.only not in detail:
            continue
        with contender.up(work, detail, backend, brokers) as session:
            for is_cold in (True, *([False] * options.warm)) if contender.has_cold_runs else (False,):
                run = session.run(is_cold)
                found.append(run)
                print(_line(run), flush=True)
            key = _key(contender.name, work.name, backend)
            if key not in verdicts:
                verdicts[key] = str(session.check(BROKER.folder))
                print(f"  its answer: {verdicts[key]}", flush=True)
    return found


def _line(run: Run) -> str:
    way = " ".join(filter(None, [run.work, run.contender, run.detail, run.backend, "cold" if run.is_cold else "warm"]))
    wall = run.readings / run.cost.wall
    return f"{way}: {run.rate:,.0f} readings a CPU-second, {wall:,.0f} a second, {run.cost.memory:,.0f} MiB"


def _key(contender: str, work: str, backend: str) -> str:
    return f"{contender} · {work} · {backend}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--backends", nargs="+", choices=["hashmap", "rocksdb"], default=["hashmap", "rocksdb"])
    parser.add_argument("--repeat", type=int, default=3, help="times that every contender has its turn")
    parser.add_argument("--warm", type=int, default=1, help="runs after the first, where a contender has processes that stay")
    parser.add_argument("--only", default="", help="only the ways to do the work whose name has this in it")
    parser.add_argument("--report", type=Path, default=Path("docs/reports/benchmarks.md"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
